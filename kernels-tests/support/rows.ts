/** Rows by index: ids, and what adding rows gives. */
import { random } from './compare.js';

/** Token ids in 0..vocab-1, with repeats. */
export function randomIds(count: number, vocab: number, seed: number): Int32Array {
  return Int32Array.from(random(count, seed), (v) => Math.floor(((v + 1) / 2) * vocab));
}

/** `target` after each row was added to the row of its id, in float64; foreign ids are skipped. */
export function scatterReference(
  target: ArrayLike<number>,
  rows: Float32Array,
  ids: Int32Array,
  dim: number,
) {
  const out = Float64Array.from(target);
  ids.forEach((id, t) => {
    if (id < 0 || id * dim >= out.length) return;
    for (let d = 0; d < dim; d++) out[id * dim + d] += rows[t * dim + d];
  });
  return out;
}
