/**
 * Running averages of gradients in 8 bits, by the scheme of bitsandbytes: "dynamic" tables of 256 numbers, which are dense
 * near zero, and the largest magnitude of each block of 256 elements.
 */
import type { Gpu } from '../gpu/index.js';
import { dynamicTable, fromHost, midpoints, type Tensor, zeros } from '../tensor/index.js';
import { ceilDiv } from './support.js';

/** Elements that share their largest magnitude. */
export const MOMENT_BLOCK = 256;

/** Words of a block: a byte for each of both moments of an element, and the two magnitudes. */
export const MOMENT_WORDS = 2 * (MOMENT_BLOCK / 4) + 2;

/** What `adamw8bit` looks up: numbers of the first and of the second moment, then midpoints of the first and of the second. */
export function momentTables(gpu: Gpu): Tensor {
  const [first, second] = [dynamicTable(true), dynamicTable(false)];
  const all = new Float32Array(4 * 256);
  [first, second, midpoints(first), midpoints(second)].forEach((part, i) => {
    all.set(part, 256 * i);
  });
  return fromHost(gpu, all, [all.length], 'f32', 'optimizer');
}

/** Both moments of so many elements, all zero. */
export function zeroMoments(gpu: Gpu, size: number): Tensor {
  return zeros(gpu, [ceilDiv(size, MOMENT_BLOCK), MOMENT_WORDS], { dtype: 'u32', purpose: 'optimizer' });
}
