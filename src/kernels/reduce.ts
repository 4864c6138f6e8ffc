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
  const n = x.dim(axis);
  const at = axis < 0 ? axis + x.rank : axis;
  const before = x.shape.slice(0, at);
  const after = x.shape.slice(at + 1);
  const y = empty(x.gpu, keepDims ? [...before, 1, ...after] : [...before, ...after]);
  reduceMiddle(op, x, { outer: numel(before), n, inner: numel(after) }, y, false);
  return y;
}

/** Reduces all elements to a scalar of shape []. */
export function reduceAll(op: ReduceOp, x: Tensor): Tensor {
  checkDtype(op, 'x', x, 'f32');
  const y = empty(x.gpu, []);
  reduceMiddle(op, x, { outer: 1, n: x.size, inner: 1 }, y, false);
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
  into?.touch();
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

/** Lanes of columns.wgsl. */
function columnLanes(gpu: Gpu): number {
  return gpu.info.software ? 16 : 64;
}

/** Cuts the reduced axis so that there are enough workgroups, each worth its launch, and so that pieces can be bound. */
function pieceLength(gpu: Gpu, { outer, n, inner }: View, byRows: boolean): number {
  const workgroups = byRows ? outer : ceilDiv(outer * inner, columnLanes(gpu));
  const wanted = ceilDiv(gpu.info.software ? 8 : 1024, workgroups);
  const worthwhile = ceilDiv(n, byRows ? 1024 : 64);
  const windows = ceilDiv(n * inner * 4, gpu.maxBindingBytes);
  const pieces = Math.min(n, Math.max(Math.min(wanted, worthwhile), windows > 1 ? windows + 1 : 1));
  return ceilDiv(n, pieces);
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
  const { outer, n, inner } = view;
  if (n * inner * 4 <= x.gpu.maxBindingBytes) {
    const shares = [
      { tensor: x, elementsPerItem: n * inner },
      { tensor: y, elementsPerItem: chunks * inner },
    ];
    for (const { first, count } of windows(x.gpu, outer, shares)) {
      const from = span(x, first * n * inner, count * n * inner);
      const to = span(y, first * chunks * inner, count * chunks * inner);
      launchSpan(pass, from, { ...view, outer: count }, chunks, to, accumulate);
    }
    return;
  }
  for (let block = 0; block < outer; block++) {
    for (let piece = 0; piece < chunks; piece++) {
      const rows = Math.min(chunk, n - piece * chunk);
      const from = span(x, (block * n + piece * chunk) * inner, rows * inner);
      const to = span(y, (block * chunks + piece) * inner, inner);
      launchSpan(pass, from, { outer: 1, n: rows, inner }, 1, to, accumulate);
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
  const start = first % (tensor.gpu.limits.minStorageBufferOffsetAlignment / 4);
  return { tensor, bind: part(tensor, first - start, elements + start), start };
}

function launchSpan(pass: Pass, x: Span, view: View, chunks: number, y: Span, accumulate: boolean): void {
  const { gpu } = x.tensor;
  const { outer, n, inner } = view;
  const bindings = { x: x.bind, y: y.bind };
  const defines = { MAX: pass.op === 'max', ACCUMULATE: accumulate };
  const params = { n, chunk: pass.chunk, chunks, xStart: x.start, yStart: y.start, scale: pass.scale };
  if (pass.byRows) {
    const rows = rowLaunch(gpu, pass.chunk, 16);
    const count = outer * chunks;
    gpu.launch(
      'reduce/rows',
      bindings,
      { count, ...params },
      {
        groups: fold(gpu, count),
        defines: { ...defines, ...rows.defines },
        constants: { WORKGROUP: rows.workgroup },
      },
    );
    return;
  }
  const lanes = columnLanes(gpu);
  const outs = outer * inner;
  const tiles = ceilDiv(outs, lanes);
  gpu.launch(
    'reduce/columns',
    bindings,
    { outs, tiles, inner, ...params },
    {
      groups: fold(gpu, tiles * chunks),
      defines,
      constants: { WORKGROUP: lanes },
    },
  );
}
