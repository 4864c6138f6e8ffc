/** Digests of files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { fromSystemError } from '../errors.js';

/** SHA-256 of a file of any size, as hexadecimal; undefined when it does not exist. */
export async function fileDigest(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fromSystemError(file, error);
  }
  return hash.digest('hex');
}
