/** Deterministic scatter-add of rows: what gathers, embeddings and reorderings have as their gradient. */
import { type Bindable, check } from '../gpu/index.js';
import { empty, type Tensor } from '../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, fold, part, windows } from './support.js';

const WORKGROUP = 64;

/** Options of {@link scatterAddRows}. */
export interface ScatterOptions {
  /** Factor on the added rows; 1 by default. */
  readonly alpha?: number;
}

/**
 * In place: `target[ids[t]] += alpha * rows[t]`, for `target` f32 [V, D], `rows` f32 [T, D] (leading dimensions may be
 * split further) and `ids` i32 with T elements. Repeated ids add up in ascending t, so that reruns are bit-identical;
 * ids outside 0..V-1 are skipped. Rows that no id names are neither read nor written.
 */
export function scatterAddRows(
  target: Tensor,
  rows: Tensor,
  ids: Tensor,
  options: ScatterOptions = {},
): void {
  const op = 'scatterAddRows';
  const gpu = checkDevice(op, target, rows, ids);
  checkDtype(op, 'target', target, 'f32');
  checkDtype(op, 'rows', rows, 'f32');
  checkDtype(op, 'ids', ids, 'i32');
  const dim = target.dim(-1);
  check(
    target.rank === 2 && rows.rank > 0 && rows.dim(-1) === dim && rows.size === ids.size * dim,
    'shape',
    () => {
      return `${op}: ${ids.size} rows of ${rows.describe()} do not fit a target ${target.describe()}; expected one row of ${dim} per id`;
    },
  );
  const sources = [
    { tensor: rows, elementsPerItem: dim },
    { tensor: ids, elementsPerItem: 1 },
  ];
  for (const source of windows(gpu, ids.size, sources)) {
    const own = part(ids, source.first, source.count);
    const x = part(rows, source.first * dim, source.count * dim);
    const order = sortedOrder(ids, own, source.count);
    for (const dest of windows(gpu, target.shape[0], [{ tensor: target, elementsPerItem: dim }])) {
      const vec4 = dim % 4 === 0;
      const columns = vec4 ? dim / 4 : dim;
      const [y, z] = fold(gpu, source.count);
      gpu.launch(
        'scatter/add-rows',
        { ids: own, order, x, y: part(target, dest.first * dim, dest.count * dim) },
        {
          size: source.count,
          columns,
          firstRow: dest.first,
          rows: dest.count,
          alpha: options.alpha ?? 1,
        },
        { groups: [ceilDiv(columns, WORKGROUP), y, z], defines: { VEC4: vec4 }, constants: { WORKGROUP } },
      );
    }
    order.dispose();
  }
}

/** Positions 0..count-1 sorted by id, equal ids in ascending position; scratch of the caller. */
function sortedOrder(ids: Tensor, own: Bindable, count: number): Tensor {
  const order = empty(ids.gpu, [count], { dtype: 'u32', purpose: 'scratch' });
  ids.gpu.launch(
    'scatter/order',
    { ids: own, order },
    { size: count },
    { groups: fold(ids.gpu, ceilDiv(count, WORKGROUP)), constants: { WORKGROUP } },
  );
  return order;
}
