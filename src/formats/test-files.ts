/** Helpers that the tests of this folder share. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dtypeBytes, elementCount } from './dtypes.js';
import type { TensorSource } from './writer.js';

/**
 * A function that makes an empty folder, gone when the test ends.
 *
 * @param afterEach vitest's; passed in because this file is built with the rest, where vitest may be absent.
 */
export function useFolders(afterEach: (clean: () => Promise<void>) => void): () => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
  });
  return async () => {
    const dir = await mkdtemp(join(tmpdir(), 'osler-io-'));
    made.push(dir);
    return dir;
  };
}

/** Bytes that differ from tensor to tensor and from place to place. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 97 + (i >>> 8)) & 0xff);
}

/** A source whose bytes are {@link pattern}. */
export function source(
  name: string,
  dtype: TensorSource['dtype'],
  shape: readonly number[],
  seed = 0,
): TensorSource {
  return { name, dtype, shape, data: () => pattern((elementCount(shape) ?? 0) * dtypeBytes(dtype), seed) };
}

/** A safetensors file from a header, given as text or as a value, and data. */
export function encode(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

/** Writes a file into a folder and returns its path. */
export async function put(dir: string, name: string, content: Uint8Array | string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}
