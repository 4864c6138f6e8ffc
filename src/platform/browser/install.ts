/** Imported by whatever starts the engine in a browser: sets the platform. */
import { setPlatform } from '../current.js';
import { browserPlatform } from './platform.js';

setPlatform(browserPlatform);
