/**
 * Running averages of gradients in 8 bits, by the scheme of bitsandbytes: "dynamic" tables of 256 numbers, which are dense
 * near zero, and the largest magnitude of each block of 256 elements.
 */
import type { Gpu } from '../gpu/index.js';
import { fromHost, type Tensor, zeros } from '../tensor/index.js';
import { ceilDiv } from './support.js';

/** Elements that share their largest magnitude. */
export const MOMENT_BLOCK = 256;

/** Words of a block: a byte for each of both moments of an element, and the two magnitudes. */
export const MOMENT_WORDS = 2 * (MOMENT_BLOCK / 4) + 2;

/** Powers of ten that a table reaches down to. */
const DECADES = 7;

/**
 * The 256 numbers of a dynamic table, ascending, in single precision as PyTorch computes them: in each decade the middles of
 * equal parts of [0.1, 1], twice as many in each as in that below, and 0 and 1.
 *
 * @param signed whether half of them are negative.
 */
export function dynamicTable(signed: boolean): Float32Array<ArrayBuffer> {
  const { fround } = Math;
  const numbers = [0, 1];
  for (let decade = 0; decade < DECADES; decade++) {
    const parts = 2 ** (decade + (signed ? 0 : 1));
    const bounds = linspace(0.1, 1, parts + 1);
    // Written as a power here and there, so that it is the same number.
    const scale = fround(10 ** (decade - DECADES + 1));
    for (let i = 0; i < parts; i++) {
      const middle = fround(fround(bounds[i] + bounds[i + 1]) / 2);
      numbers.push(fround(scale * middle));
      if (signed) numbers.push(fround(-scale * middle));
    }
  }
  return Float32Array.from(numbers).sort();
}

/** torch.linspace in single precision: from both ends to the middle, with one rounding each. */
function linspace(start: number, end: number, count: number): number[] {
  const { fround } = Math;
  const [first, last] = [fround(start), fround(end)];
  const step = fround(fround(last - first) / (count - 1));
  const half = Math.floor(count / 2);
  return Array.from({ length: count }, (_, i) =>
    fround(i < half ? first + step * i : last - step * (count - 1 - i)),
  );
}

/** Midpoints between neighbours; above one begins the next number. */
export function midpoints(table: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: table.length - 1 }, (_, i) => (table[i] + table[i + 1]) / 2);
}

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
