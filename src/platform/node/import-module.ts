/** Modules that users write, such as rewards. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { FileError } from '../errors.js';
import { unreadable } from './system-errors.js';

/**
 * Imports a JavaScript or TypeScript module given by path, with what it imports itself.
 *
 * Node before 22.18 cannot import TypeScript, so such files go through jiti.
 */
export async function importModule(file: string): Promise<unknown> {
  const absolute = path.resolve(file);
  const found = await stat(absolute).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (!found.isFile()) throw new FileError(file, 'is not a file');
  if (!/\.[cm]?tsx?$/.test(absolute)) return import(pathToFileURL(absolute).href);
  const { createJiti } = await import('jiti');
  return createJiti(pathToFileURL(absolute).href, { fsCache: false }).import(absolute);
}
