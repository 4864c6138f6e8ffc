/** A browser as a platform: files in memory or mounted, and its decoders of pictures. */
import type { Platform } from '../current.js';
import { MemoryFiles } from '../memory-files.js';
import { webPictures } from './pictures.js';

/** The files of the page or worker; mount there what is to be read. */
export const files = new MemoryFiles();

/** What a browser offers the engine. */
export const browserPlatform: Platform = { files, pictures: webPictures };
