/** Small files of a folder, for layers that must not know Node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromSystemError } from '../errors.js';
import { atomicWrite } from './atomic.js';
import { makeFolder } from './make-folder.js';

/** Reads a file of one folder by name; undefined when it does not exist. */
export type FolderReader = (name: string) => Promise<Uint8Array | undefined>;

/** A reader of a folder's files. */
export function folderReader(dir: string): FolderReader {
  return async (name) => {
    const path = join(dir, name);
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw fromSystemError(path, error);
    }
  };
}

/** Writes small text files into a folder, each atomically; the folder is made where it is missing. */
export async function writeTextFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  await makeFolder(dir);
  for (const [name, text] of Object.entries(files)) await atomicWrite(join(dir, name), text);
}
