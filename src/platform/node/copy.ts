/** Copies files. */
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fromSystemError } from '../errors.js';

/** Copies a file, making the folders that it shall be in. */
export async function copyInto(file: string, target: string): Promise<void> {
  if (path.resolve(file) === path.resolve(target)) return;
  await mkdir(path.dirname(target), { recursive: true });
  try {
    await copyFile(file, target);
  } catch (error) {
    throw fromSystemError(file, error);
  }
}
