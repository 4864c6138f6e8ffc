/** One file from somewhere else: resumed where an earlier attempt ended, and given its name only once its checksum is right. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { nodeFiles } from '../files.js';

/** What a file must turn out to be. */
export interface Expected {
  readonly bytes: number;
  /** SHA-256 of the content, or what git calls its blob: SHA-1 of a header and the content. */
  readonly checksum: { readonly kind: 'sha256' | 'git'; readonly hex: string };
}

/** How to get a file. */
export interface Transfer {
  /** Where it shall be. What has arrived so far is beside it, with `.part` at the end. */
  readonly path: string;
  readonly expected: Expected;
  /** The content from some byte on. */
  readonly read: (start: number) => Promise<ReadableStream<Uint8Array>>;
  /** Told how many bytes more are there; those of an earlier attempt at once, negative ones if they were wrong. */
  readonly onBytes?: (bytes: number) => void;
}

/** The content that arrived is not what it should be. */
export class ChecksumError extends Error {}

/** Gets a file unless it is there already. Returns how many bytes had to be read. */
export async function transferFile(transfer: Transfer): Promise<number> {
  const { path, expected, onBytes } = transfer;
  if (await matches(path, expected)) {
    onBytes?.(expected.bytes);
    return 0;
  }
  await nodeFiles.makeFolder(dirname(path));
  const part = `${path}.part`;
  const before = await sizeOf(part);
  try {
    return await attempt(transfer, part);
  } catch (error) {
    if (!(error instanceof ChecksumError) || before === 0) throw error;
    // What an earlier attempt left was of another version of the file, or damaged: all of it again.
    onBytes?.(-expected.bytes);
    return await attempt(transfer, part);
  }
}

async function attempt({ path, expected, read, onBytes }: Transfer, part: string): Promise<number> {
  if ((await sizeOf(part)) > expected.bytes) await rm(part);
  const hash = startHash(expected);
  let have = 0;
  for await (const chunk of await bytesOf(part)) {
    hash.update(chunk);
    have += chunk.length;
  }
  onBytes?.(have);
  const start = have;
  if (have < expected.bytes) {
    const file = await open(part, 'a');
    try {
      for await (const chunk of await read(start)) {
        if (have + chunk.length > expected.bytes) {
          throw new ChecksumError(`is longer than the ${expected.bytes} bytes that it should be`);
        }
        await file.appendFile(chunk);
        hash.update(chunk);
        have += chunk.length;
        onBytes?.(chunk.length);
      }
      await file.sync();
    } catch (error) {
      if (error instanceof ChecksumError) await rm(part, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } else if (have === 0) await (await open(part, 'a')).close();
  if (have < expected.bytes) throw new Error(`ended after ${have} of ${expected.bytes} bytes`);
  const hex = hash.digest('hex');
  if (hex !== expected.checksum.hex) {
    await rm(part);
    throw new ChecksumError(`has the checksum ${hex}, but should have ${expected.checksum.hex}`);
  }
  await rename(part, path);
  return have - start;
}

async function matches(path: string, expected: Expected): Promise<boolean> {
  if ((await sizeOf(path)) !== expected.bytes || !(await exists(path))) return false;
  const hash = startHash(expected);
  for await (const chunk of await bytesOf(path)) hash.update(chunk);
  return hash.digest('hex') === expected.checksum.hex;
}

function startHash({ bytes, checksum }: Expected): Hash {
  if (checksum.kind === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${bytes}\0`);
}

async function bytesOf(path: string): Promise<AsyncIterable<Uint8Array>> {
  return (await exists(path)) ? createReadStream(path, { highWaterMark: 1 << 20 }) : empty();
}

async function* empty(): AsyncGenerator<Uint8Array> {}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}
