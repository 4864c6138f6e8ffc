/** PyTorch outputs committed as safetensors, made by `reference/make_kernel_fixtures.py`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FixtureTensor, parseFixture } from './fixture-format.js';

export type { FixtureTensor } from './fixture-format.js';

/** Reads `kernels-tests/fixtures/<family>.safetensors` (F32, I32 and I64 tensors). */
export function fixture(family: string): Record<string, FixtureTensor> {
  return parseFixture(
    readFileSync(fileURLToPath(new URL(`../fixtures/${family}.safetensors`, import.meta.url))),
  );
}
