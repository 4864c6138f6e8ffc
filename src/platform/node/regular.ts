/** Files that are read because something names them: a dataset, a model, the folder of a run. */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { FileError } from '../errors.js';

/**
 * Opens a regular file for reading and nothing else: a named pipe would wait for its writer for ever, a device may do
 * anything. Pipes that a user gives a command are opened where that command is.
 */
export async function openRegular(file: string): Promise<{ handle: FileHandle; byteLength: number }> {
  assertRegular(file, await stat(file));
  // What is there may have become another: a pipe that is opened so does not wait. Windows has neither.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await handle.stat();
    assertRegular(file, found);
    return { handle, byteLength: found.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function assertRegular(file: string, found: { isFile(): boolean; isDirectory(): boolean }): void {
  if (found.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  if (!found.isFile()) throw new FileError(file, 'is not a regular file');
}
