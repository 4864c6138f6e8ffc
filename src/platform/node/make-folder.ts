/** Making the folders that users name for output; for layers that must not know Node. */
import { mkdir } from 'node:fs/promises';
import { unwritable } from '../errors.js';

/**
 * Makes a folder and those above it, where they are missing.
 *
 * @throws PlaceError where there can be no such folder, or not for this user.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw unwritable(path, error);
  }
}
