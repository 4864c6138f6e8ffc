/** Imported by whatever starts the engine in Node: sets the platform. */
import { setPlatform } from '../current.js';
import { nodePlatform } from './platform.js';

setPlatform(nodePlatform);
