/**
 * Sums, means and maxima over axes. Two shaders serve every case: `rows` (a workgroup per row) where the reduced axis is
 * the last and long, `columns` (an invocation per result) elsewhere. Where there are too few results to fill the
 * machine, the reduced axis is cut into pieces and the pieces are reduced by a second launch. The cut depends on the
 * shape and the adapter only, so reruns agree bit for bit.
 */
import { check, type Gpu } from '../gpu/index.js';
import { empty, numel, type Shape, sameShape, showShape, type Tensor } from '../tensor/index.js';
import { rowLaunch } from './rows.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold, part, windows } from './support.js';

/** Operators of {@link reduceAxis} and {@link reduceAll}. */
export type ReduceOp = 'sum' | 'mean' | 'max';

/** Reduces one axis; it stays as a dimension of size 1 with `keepDims`. */
export function reduceAxis(op: ReduceOp, x: Tensor, axis: number, keepDims = false): Tensor {
  checkDtype(op, 'x', x, 'f32');
  x.dim(axis);
  const at = axis < 0 ? axis + x.rank : axis;
  const y = empty(x.gpu, [...x.shape.slice(0, at), ...(keepDims ? [1] : []), ...x.shape.slice(at + 1)]);
  reduceMiddle(op, x, viewOf(x.shape, at), y, false);
  return y;
}

/** Reduces all elements to a scalar of shape []. */
export function reduceAll(op: ReduceOp, x: Tensor): Tensor {
  checkDtype(op, 'x', x, 'f32');
  const y = empty(x.gpu, []);
  reduceMiddle(op, x, viewOf(x.shape, null), y, false);
  return y;
}

/** The gradient of a sum over one axis (all of them for null): repeats g along it, in `shape`, and scales it. */
export function spread(g: Tensor, shape: Shape, axis: number | null, scale: number): Tensor {
  const { gpu } = g;
  const dx = empty(gpu, shape);
  const view = viewOf(shape, axis);
  const chunk = pieceLength(gpu, view, false);
  for (const { block, blocks, row, rows } of slabs(view, chunk, dx, g)) {
    const size = blocks * rows * view.inner;
    const to = span(dx, (block * view.n + row) * view.inner, size);
    const from = span(g, block * view.inner, blocks * view.inner);
    gpu.launch(
      'reduce/spread',
      { g: from.bind, dx: to.bind },
      { size, n: rows, inner: view.inner, gStart: from.start, dxStart: to.start, scale },
      { groups: fold(gpu, ceilDiv(size, 256)), constants: { WORKGROUP: 64 } },
    );
  }
  return dx;
}

/** Index of the largest element along the last axis, i32: the first among equals; a NaN counts as largest. */
export function argmax(x: Tensor): Tensor {
  checkDtype('argmax', 'x', x, 'f32');
  const { gpu } = x;
  const n = x.dim(-1);
  const y = empty(gpu, x.shape.slice(0, -1), { dtype: 'i32' });
  const shares = [
    { tensor: x, elementsPerItem: n },
    { tensor: y, elementsPerItem: 1 },
  ];
  for (const { first, count } of windows(gpu, y.size, shares)) {
    const bindings = { x: part(x, first * n, count * n), y: part(y, first, count) };
    const groups = fold(gpu, count);
    const constants = { WORKGROUP: rowLaunch(gpu, n).workgroup };
    gpu.launch('reduce/argmax', bindings, { rows: count, n }, { groups, constants });
  }
  return y;
}

/**
 * Sums the rows of x[..., columns] to [columns]: the gradient of a bias. With `into` the sums are added to that tensor,
 * which is returned.
 */
export function columnSum(x: Tensor, into?: Tensor): Tensor {
  checkDtype('columnSum', 'x', x, 'f32');
  const inner = x.dim(-1);
  if (into) {
    checkDevice('columnSum', x, into);
    checkDtype('columnSum', 'into', into, 'f32');
    checkShapeIs('columnSum', 'into', into, [inner]);
  }
  const y = into ?? empty(x.gpu, [inner]);
  reduceMiddle('sum', x, { outer: 1, n: x.size / inner, inner }, y, into !== undefined);
  return y;
}

/** Undoes broadcasting: sums the dimensions along which a tensor of `shape` was repeated to give x. */
export function sumToShape(x: Tensor, shape: Shape): Tensor {
  checkDtype('sumToShape', 'x', x, 'f32');
  const missing = x.rank - shape.length;
  const target = x.shape.map((_, i) => (i < missing ? 1 : shape[i - missing]));
  const fits = missing >= 0 && target.every((d, i) => d === 1 || d === x.shape[i]);
  check(fits, 'shape', () => `sumToShape: ${showShape(shape)} does not broadcast to ${showShape(x.shape)}`);
  let current = x;
  const sizes = [...x.shape];
  for (let last = sizes.length - 1; last >= 0; last--) {
    if (target[last] === sizes[last]) continue;
    let first = last;
    while (first > 0 && target[first - 1] === 1) first--;
    const [outer, n, inner] = [sizes.slice(0, first), sizes.slice(first, last + 1), sizes.slice(last + 1)];
    sizes.fill(1, first, last + 1);
    const y = empty(x.gpu, sizes, { purpose: sameShape(sizes, target) ? 'activations' : 'scratch' });
    reduceMiddle('sum', current, { outer: numel(outer), n: numel(n), inner: numel(inner) }, y, false);
    if (current !== x) current.dispose();
    current = y;
    last = first;
  }
  const result = current.alias(shape);
  if (current !== x) current.dispose();
  return result;
}

/** A tensor seen as [outer, n, inner]; n is reduced. */
interface View {
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
}

function viewOf(shape: Shape, axis: number | null): View {
  if (axis === null) return { outer: 1, n: numel(shape), inner: 1 };
  return { outer: numel(shape.slice(0, axis)), n: shape[axis], inner: numel(shape.slice(axis + 1)) };
}

/** Rows up to this length are walked by one invocation each. */
const SHORT_ROW = 32;

function reduceMiddle(op: ReduceOp, x: Tensor, view: View, y: Tensor, accumulate: boolean): void {
  const byRows = view.inner === 1 && view.n > SHORT_ROW;
  const chunk = pieceLength(x.gpu, view, byRows);
  const chunks = ceilDiv(view.n, chunk);
  const pass = { op, byRows, chunk, chunks, scale: op === 'mean' ? 1 / view.n : 1 };
  if (chunks === 1) {
    launchPass(pass, x, view, y, accumulate);
    return;
  }
  const partial = empty(x.gpu, [view.outer, chunks, view.inner], { purpose: 'scratch' });
  launchPass(pass, x, view, partial, false);
  reduceMiddle(op === 'max' ? 'max' : 'sum', partial, { ...view, n: chunks }, y, accumulate);
  partial.dispose();
}

/** Lanes of columns.wgsl, how many results each owns, and how many rows it reads at a time. */
function columnShape(gpu: Gpu): { lanes: number; columns: number; unroll: number } {
  return gpu.info.software ? { lanes: 16, columns: 4, unroll: 2 } : { lanes: 64, columns: 1, unroll: 8 };
}

/** Cuts the reduced axis so that there are enough workgroups, each worth its launch, and so that pieces can be bound. */
function pieceLength(gpu: Gpu, { outer, n, inner }: View, byRows: boolean): number {
  const { lanes, columns } = columnShape(gpu);
  const tile = lanes * columns * (inner % 4 === 0 ? 4 : 1);
  const workgroups = byRows ? outer : ceilDiv(outer * inner, tile);
  const wanted = ceilDiv(gpu.info.software ? 8 : 1024, workgroups);
  const worthwhile = ceilDiv(n, byRows ? 1024 : 64);
  const windows = ceilDiv(n * inner * 4, gpu.maxBindingBytes);
  const pieces = Math.min(n, Math.max(Math.min(wanted, worthwhile), windows > 1 ? windows + 1 : 1));
  // Rows are read in vectors where every piece starts at one.
  return byRows ? ceilDiv(n, pieces * 4) * 4 : ceilDiv(n, pieces);
}

interface Pass {
  readonly op: ReduceOp;
  readonly byRows: boolean;
  readonly chunk: number;
  readonly chunks: number;
  readonly scale: number;
}

/** x [outer, n, inner] to y [outer, chunks, inner]. */
function launchPass(pass: Pass, x: Tensor, view: View, y: Tensor, accumulate: boolean): void {
  const { chunk, chunks } = pass;
  const { n, inner } = view;
  for (const { block, blocks, row, rows } of slabs(view, chunk, x, y)) {
    const pieces = ceilDiv(rows, chunk);
    const from = span(x, (block * n + row) * inner, blocks * rows * inner);
    const to = span(y, (block * chunks + row / chunk) * inner, blocks * pieces * inner);
    launchSpan(pass, from, { outer: blocks, n: rows, inner }, pieces, to, accumulate);
  }
}

/** Several whole blocks, or one piece of one block. */
interface Slab {
  readonly block: number;
  readonly blocks: number;
  readonly row: number;
  readonly rows: number;
}

/** Cuts [outer, n, inner] so that the shares of the large and the small tensor of a launch can be bound. */
function* slabs({ outer, n, inner }: View, chunk: number, large: Tensor, small: Tensor): Generator<Slab> {
  if (n * inner * 4 <= large.gpu.maxBindingBytes) {
    const shares = [
      { tensor: large, elementsPerItem: n * inner },
      { tensor: small, elementsPerItem: small.size / outer },
    ];
    for (const { first, count } of windows(large.gpu, outer, shares)) {
      yield { block: first, blocks: count, row: 0, rows: n };
    }
    return;
  }
  for (let block = 0; block < outer; block++) {
    for (let row = 0; row < n; row += chunk) {
      yield { block, blocks: 1, row, rows: Math.min(chunk, n - row) };
    }
  }
}

/** A part of a tensor that starts anywhere: the aligned range around it, and where in that it starts. */
interface Span {
  readonly tensor: Tensor;
  readonly bind: ReturnType<typeof part>;
  readonly start: number;
}

function span(tensor: Tensor, first: number, elements: number): Span {
  const start = first % (tensor.gpu.bindingAlignment / 4);
  return { tensor, bind: part(tensor, first - start, elements + start), start };
}

function launchSpan(pass: Pass, x: Span, view: View, chunks: number, y: Span, accumulate: boolean): void {
  const { gpu } = x.tensor;
  const { outer, n, inner } = view;
  const { chunk, byRows, scale } = pass;
  const bindings = { x: x.bind, y: y.bind };
  const run = byRows ? [n, chunk, x.start] : [inner, x.start, y.start];
  const width = run.every((length) => length % 4 === 0) ? 4 : 1;
  const defines = { MAX: pass.op === 'max', ACCUMULATE: accumulate, VEC4: width === 4 };
  if (byRows) {
    const rows = rowLaunch(gpu, chunk / width, 8);
    const count = outer * chunks;
    const lengths = { n: n / width, chunk: chunk / width, xStart: x.start / width };
    const params = { count, chunks, yStart: y.start, scale, ...lengths };
    gpu.launch('reduce/rows', bindings, params, {
      groups: fold(gpu, count),
      defines: { ...defines, ...rows.defines },
      constants: { WORKGROUP: rows.workgroup },
    });
    return;
  }
  const { lanes, columns, unroll } = columnShape(gpu);
  const outs = (outer * inner) / width;
  const tiles = ceilDiv(outs, lanes * columns);
  const lengths = { outs, inner: inner / width, xStart: x.start / width, yStart: y.start / width };
  const params = { tiles, n, chunk, chunks, scale, ...lengths };
  gpu.launch('reduce/columns', bindings, params, {
    groups: fold(gpu, tiles * chunks),
    defines: { ...defines, COLUMNS: columns, UNROLL: unroll },
    constants: { WORKGROUP: lanes },
  });
}
