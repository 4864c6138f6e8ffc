/** Osler as a library in Node: the engine with Node's platform, and how to find a driver and open a device there. */
import './platform/node/install.js';

export * from './engine.js';
export { ensureDriver } from './platform/launcher/launch.js';
export { type NodeOpenOptions, openGpu } from './platform/launcher/open.js';
