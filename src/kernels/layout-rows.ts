/** Moving whole rows by index: gathers, and scatters to rows that differ from each other. */
import { check, type Gpu } from '../gpu/index.js';
import { fromHost, type Tensor } from '../tensor/index.js';
import { copyOf } from './elementwise.js';
import { embedding } from './embedding.js';
import { ceilDiv, checkDevice, checkDtype, fold, part, windows } from './support.js';

const WORKGROUP = 64;

/** Row numbers: on the host, where they are checked, or i32 on the device, where they cannot be. */
export type RowIds = Tensor | ArrayLike<number>;

/** Uploads row numbers after checking that each is one of `rows`, and, where they are to be written, that none repeats. */
export function rowIds(op: string, gpu: Gpu, ids: RowIds, rows: number, distinct: boolean): Tensor {
  if ('isTensor' in ids) {
    checkDtype(op, 'ids', ids, 'i32');
    return ids.alias([ids.size]);
  }
  check(ids.length > 0, 'shape', () => `${op}: the list of rows is empty`);
  const seen = new Set<number>();
  for (let i = 0; i < ids.length; i++) {
    check(Number.isInteger(ids[i]) && ids[i] >= 0 && ids[i] < rows, 'value', () => {
      return `${op}: row ${ids[i]} at position ${i} is not an integer in 0..${rows - 1}`;
    });
    check(!distinct || !seen.has(ids[i]), 'value', () => `${op}: row ${ids[i]} is named twice`);
    seen.add(ids[i]);
  }
  return fromHost(gpu, Int32Array.from(ids), [ids.length], 'i32');
}

/** Rows of x [N, ...] by number: [ids, ...]. Device ids outside 0..N-1 give zeros. */
export function gatherRows(x: Tensor, ids: Tensor): Tensor {
  checkDtype('gatherRows', 'x', x, 'f32');
  const [table, list] = [x.alias([x.dim(0), x.size / x.dim(0)]), ids.alias([ids.size])];
  const rows = embedding(table, list);
  const y = rows.alias([ids.size, ...x.shape.slice(1)]);
  for (const t of [table, list, rows]) t.dispose();
  return y;
}

/**
 * A copy of x [N, ...] in which row `ids[t]` is `rows[t]`, or zeros where `rows` is null. Ids must differ from each
 * other; device ids outside 0..N-1 are skipped.
 */
export function scatterRows(x: Tensor, rows: Tensor | null, ids: Tensor): Tensor {
  const op = 'scatterRows';
  const gpu = checkDevice(op, x, ids, ...(rows ? [rows] : []));
  checkDtype(op, 'x', x, 'f32');
  const dim = x.size / x.dim(0);
  if (rows) {
    checkDtype(op, 'rows', rows, 'f32');
    check(rows.dim(0) === ids.size && rows.size === ids.size * dim, 'shape', () => {
      return `${op}: ${rows.describe()} does not hold ${ids.size} rows of ${x.describe()}`;
    });
  }
  const y = copyOf(x);
  const vector = dim % 4 === 0;
  const columns = vector ? dim / 4 : dim;
  const sources = [
    { tensor: ids, elementsPerItem: 1 },
    ...(rows ? [{ tensor: rows, elementsPerItem: dim }] : []),
  ];
  for (const { first, count } of windows(gpu, ids.size, sources)) {
    for (const to of windows(gpu, x.shape[0], [{ tensor: y, elementsPerItem: dim }])) {
      const bindings = { ids: part(ids, first, count), y: part(y, to.first * dim, to.count * dim) };
      const [gridY, gridZ] = fold(gpu, count);
      gpu.launch(
        'layout/scatter-rows',
        rows ? { ...bindings, rows: part(rows, first * dim, count * dim) } : bindings,
        { count, columns, firstRow: to.first, rowCount: to.count },
        {
          groups: [ceilDiv(columns, WORKGROUP), gridY, gridZ],
          defines: { ZERO: rows === null, VEC4: vector },
          constants: { WORKGROUP },
        },
      );
    }
  }
  return y;
}
