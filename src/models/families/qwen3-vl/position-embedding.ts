/**
 * Learned positions of the tower: a square table of them, read bilinearly where the patches of an image of another shape
 * stand in it.
 */
import { ACCUMULATED, differentiable } from '../../../autograd/graph.js';
import { binary } from '../../../kernels/elementwise.js';
import { embedding } from '../../../kernels/embedding.js';
import { scatterAddRows } from '../../../kernels/scatter.js';
import { fromHost, scope, type Tensor, zeros } from '../../../tensor/index.js';
import { type Grid, gridPatches } from '../../core/grid.js';

/** The entries of a table that a list of values is made of, one after another: the row of each and its weight. */
export interface Tap {
  readonly rows: Int32Array;
  readonly weights: Float32Array;
}

/**
 * The four entries around each patch, corners on corners. `rows` and `columns` are the places of the patches in their
 * images; the arithmetic is in the float32 steps of transformers.
 */
export function bilinearTaps(
  grids: readonly Grid[],
  rows: Int32Array,
  columns: Int32Array,
  side: number,
): readonly Tap[] {
  const patches = rows.length;
  const taps = Array.from({ length: 4 }, () => ({
    rows: new Int32Array(patches),
    weights: new Float32Array(patches),
  }));
  let at = 0;
  for (const grid of grids) {
    const [, height, width] = grid;
    for (const end = at + gridPatches(grid); at < end; at++) {
      const y = place(rows[at], height, side);
      const x = place(columns[at], width, side);
      taps.forEach((tap, i) => {
        const [down, right] = [i >> 1, i & 1];
        tap.rows[at] = Math.min(y.first + down, side - 1) * side + Math.min(x.first + right, side - 1);
        tap.weights[at] = (down ? y.rest : 1 - y.rest) * (right ? x.rest : 1 - x.rest);
      });
    }
  }
  return taps;
}

/** Where position `index` of `size` is on a side of the table: after which entry, and by how much. */
function place(index: number, size: number, side: number): { first: number; rest: number } {
  const exact = Math.fround((index * (side - 1)) / Math.max(size - 1, 1));
  const first = Math.floor(exact);
  return { first, rest: Math.fround(exact - first) };
}

/** Rows [N, width] of a table [side * side, width], each the weighted sum of its taps. */
export function interpolatedRows(table: Tensor, taps: readonly Tap[]): Tensor {
  const { gpu, shape } = table;
  const ids = taps.map(({ rows }) => fromHost(gpu, rows, [rows.length], 'i32'));
  const weights = taps.map((tap) => fromHost(gpu, tap.weights, [tap.weights.length, 1], 'f32'));
  const weighted = (i: number) => scope(() => binary('mul', embedding(table, ids[i]), weights[i]));
  let y = weighted(0);
  for (let i = 1; i < taps.length; i++) {
    const before = y;
    y = scope(() => binary('add', before, weighted(i)));
    before.dispose();
  }
  differentiable({
    name: 'interpolatedRows',
    inputs: [table],
    outputs: [y],
    saved: [...ids, ...weights],
    backward: ([g], saved, { accumulator }) => {
      if (!g) return [null];
      const existing = accumulator(0);
      const target = existing ?? zeros(gpu, shape, { purpose: 'gradients' });
      taps.forEach((_, i) => {
        scope(() => scatterAddRows(target, binary('mul', g, saved[taps.length + i]), saved[i]));
      });
      return [existing ? ACCUMULATED : target];
    },
  });
  return y;
}
