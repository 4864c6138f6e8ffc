/** PyTorch outputs committed as safetensors, made by `reference/make_kernel_fixtures.py`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A tensor of a fixture: f32 or integer numbers with a shape. */
export interface FixtureTensor {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array;
}

/** Reads `kernels-tests/fixtures/<family>.safetensors` (F32, I32 and I64 tensors). */
export function fixture(family: string): Record<string, FixtureTensor> {
  const path = fileURLToPath(new URL(`../fixtures/${family}.safetensors`, import.meta.url));
  const bytes = readFileSync(path);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const out: Record<string, FixtureTensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = entry.data_offsets.map((offset) => offset + 8 + headerBytes);
    const own = new Uint8Array(bytes.subarray(from, to)).buffer;
    const read: Record<string, () => Float32Array | Int32Array> = {
      F32: () => new Float32Array(own),
      I32: () => new Int32Array(own),
      I64: () => Int32Array.from(new BigInt64Array(own), Number),
    };
    out[name] = { shape: entry.shape, data: read[entry.dtype]() };
  }
  return out;
}
