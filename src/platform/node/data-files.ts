/** Files of datasets, for layers that must not know Node. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromSystemError } from '../errors.js';

/** An open file that is read in pieces. */
export interface OpenFile {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

/** Opens a file for reading. */
export async function openFile(file: string): Promise<OpenFile> {
  let handle: FileHandle;
  let byteLength: number;
  try {
    // A folder opens, too, and fails only when read.
    if ((await stat(file)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    handle = await open(file, 'r');
    byteLength = (await handle.stat()).size;
  } catch (error) {
    throw fromSystemError(file, error);
  }
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const [from, to] = [Math.max(0, start), Math.min(byteLength, end)];
      const bytes = new Uint8Array(Math.max(0, to - from));
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) throw new Error(`${file} became shorter while it was read`);
        done += bytesRead;
      }
      return bytes.buffer;
    },
    close: () => handle.close(),
  };
}

/** The folder of a file, and the file's name in it. */
export function splitPath(file: string): { folder: string; name: string } {
  return { folder: path.dirname(file), name: path.basename(file) };
}

/** A path below a folder. */
export function join(folder: string, ...names: string[]): string {
  return path.join(folder, ...names);
}

/** The names in a folder in order, or undefined when the path is a file. */
export async function listFolder(folder: string): Promise<string[] | undefined> {
  try {
    return (await stat(folder)).isDirectory() ? (await readdir(folder)).sort() : undefined;
  } catch (error) {
    throw fromSystemError(folder, error);
  }
}

/** Whether a path leads to a folder. */
export async function isFolder(folder: string): Promise<boolean> {
  return stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Imports a JavaScript or TypeScript module given by path, with what it imports itself.
 *
 * Node before 22.18 cannot import TypeScript, so such files go through jiti.
 */
export async function importModule(file: string): Promise<unknown> {
  const absolute = path.resolve(file);
  try {
    if (!(await stat(absolute)).isFile()) throw new Error(`${file} is not a file`);
  } catch (error) {
    throw fromSystemError(file, error);
  }
  if (!/\.[cm]?tsx?$/.test(absolute)) return import(pathToFileURL(absolute).href);
  const { createJiti } = await import('jiti');
  return createJiti(pathToFileURL(absolute).href, { fsCache: false }).import(absolute);
}

/** All bytes of a file. */
export async function readWholeFile(file: string): Promise<Uint8Array> {
  const opened = await openFile(file);
  try {
    return new Uint8Array(await opened.slice(0));
  } finally {
    await opened.close();
  }
}
