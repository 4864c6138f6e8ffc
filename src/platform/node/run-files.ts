/** Files that grow while a run goes on, and folders that come and go with it; for layers that must not know Node. */
import { type FileHandle, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { unwritable } from '../errors.js';

/** A file that is only appended to. */
export class AppendFile {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Opens a file at its end, or makes it. */
  static async open(path: string): Promise<AppendFile> {
    try {
      return new AppendFile(path, await open(path, 'a'));
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** Appends text or bytes. */
  async append(data: string | Uint8Array): Promise<void> {
    try {
      await this.#handle.appendFile(data);
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /** Waits until all of it is on disk. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Cuts a file of lines before the first line that shall not stay, or that a killed writer left incomplete. */
export async function keepLines(path: string, keep: (line: string) => boolean): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  let end = 0;
  for (let next = bytes.indexOf(10); next >= 0; next = bytes.indexOf(10, end)) {
    if (!keep(bytes.toString('utf8', end, next))) break;
    end = next + 1;
  }
  if (end < bytes.length) await truncate(path, end);
}

/** The names in a folder, in order; none where there is no such folder. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** Deletes a file or a folder with all that is in it; what does not exist is deleted already. */
export async function removeAll(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    throw unwritable(path, error);
  }
}
