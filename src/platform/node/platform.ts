/** Node as a platform. */
import type { Platform } from '../ports.js';
import { nodeFiles } from './files.js';

/** What Node offers the engine. */
export const nodePlatform: Platform = { files: nodeFiles };
