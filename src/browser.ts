/**
 * The engine for pages and workers: `osler/engine` with a browser's platform, which is set by importing this. Mount what is to
 * be read in {@link files}, and open a device with {@link openGpu}.
 */
import './platform/browser/install.js';

export * from './engine.js';
export { type BrowserOpenOptions, openGpu } from './platform/browser/open.js';
export { webPictures } from './platform/browser/pictures.js';
export { browserPlatform, files } from './platform/browser/platform.js';
export { SHADER_TEXTS } from './platform/browser/shader-texts.js';
export type { NamedBlob } from './platform/memory-files.js';
