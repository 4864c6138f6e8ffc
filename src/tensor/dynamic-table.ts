/** The "dynamic" tables of bitsandbytes, by which it keeps numbers in 8 bits: dense near zero. */

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
