/** Moving elements without changing them: permutations, slices, concatenation. */
import { check } from '../gpu/index.js';
import { bytesOf, empty, numel, type Shape, sameShape, showShape, type Tensor } from '../tensor/index.js';
import { cast, copyOf } from './elementwise.js';
import { ceilDiv, checkDevice, narrowRows, part, walkGrid, windows } from './support.js';

/** Reorders the axes: axis i of the result is axis `axes[i]` of x. Up to five axes that do not stay neighbours. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const order = axes.map((a) => (a < 0 ? a + x.rank : a));
  check([...order].sort((a, b) => a - b).join() === x.shape.map((_, i) => i).join(), 'shape', () => {
    return `permute: axes [${axes.join(', ')}] are not a permutation of the ${x.rank} axes of ${showShape(x.shape)}`;
  });
  const merged = mergeAxes(x.shape, order);
  const { sizes, strides } = merged;
  if (sizes.length === 1)
    return reshaped(
      copyOf(x),
      order.map((a) => x.shape[a]),
    );
  check(sizes.length <= 5, 'shape', () => {
    return `permute: ${showShape(x.shape)} by [${axes.join(', ')}] moves more than five separate axes; do it in two steps`;
  });
  const last = sizes.length - 1;
  const packed = bytesOf(x.dtype, 1) === 2;
  if (packed && (strides[last] !== 1 || sizes[last] % 2 !== 0)) return throughF32(x, (t) => permute(t, axes));
  const y = empty(
    x.gpu,
    order.map((a) => x.shape[a]),
    { dtype: x.dtype },
  );
  const width = packed ? 2 : 1;
  const inWords = strides.map((s, i) => (i === last ? s : s / width));
  sizes[last] /= width;
  if (isTranspose(sizes, inWords)) launchTranspose(x, y, sizes, width);
  else launchStrided(x, y, sizes, inWords, width);
  return y;
}

/** Sizes of the result and strides of x along them, with axes that stay neighbours merged and those of size 1 dropped. */
function mergeAxes(shape: Shape, order: readonly number[]): { sizes: number[]; strides: number[] } {
  const sizes: number[] = [];
  const strides: number[] = [];
  for (const axis of order) {
    const size = shape[axis];
    const stride = numel(shape.slice(axis + 1));
    if (size === 1) continue;
    const before = sizes.length - 1;
    if (before >= 0 && strides[before] === stride * size) {
      sizes[before] *= size;
      strides[before] = stride;
    } else {
      sizes.push(size);
      strides.push(stride);
    }
  }
  return sizes.length > 0 ? { sizes, strides } : { sizes: [1], strides: [1] };
}

/** [n, m] or [batch, n, m] read from [m, n] or [batch, m, n]. */
function isTranspose(sizes: readonly number[], strides: readonly number[]): boolean {
  const [n, m] = sizes.slice(-2);
  const [sn, sm] = strides.slice(-2);
  return sn === 1 && sm === n && (sizes.length === 2 || (sizes.length === 3 && strides[0] === n * m));
}

function launchTranspose(x: Tensor, y: Tensor, sizes: readonly number[], width: number): void {
  const { gpu } = x;
  const [columns, rows] = sizes.slice(-2);
  const batch = sizes.length === 3 ? sizes[0] : 1;
  const tile = gpu.info.software ? 16 : 32;
  const groups = [ceilDiv(columns, tile), ceilDiv(rows, tile)] as const;
  const most = gpu.limits.maxComputeWorkgroupsPerDimension;
  check(Math.max(...groups) <= most, 'limit', () => {
    return `permute: [${rows}, ${columns}] is longer than ${most * tile} in one dimension; cut it first`;
  });
  const item = rows * columns * width;
  const shares = [x, y].map((tensor) => ({ tensor, elementsPerItem: item }));
  for (const window of windows(gpu, batch, shares)) {
    for (let first = window.first; first < window.first + window.count; first += most) {
      const count = Math.min(most, window.first + window.count - first);
      gpu.launch(
        gpu.info.software ? 'layout/transpose-wide' : 'layout/transpose-tile',
        { x: part(x, first * item, count * item), y: part(y, first * item, count * item) },
        { rows, columns },
        { groups: [...groups, count] },
      );
    }
  }
}

function launchStrided(
  x: Tensor,
  y: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  width: number,
): void {
  const { gpu } = x;
  const last = sizes.length - 1;
  const vector =
    strides[last] === 1 && sizes[last] % 4 === 0 && strides.every((s, i) => i === last || s % 4 === 0);
  const d = sizes.map((size, i) => (vector && i === last ? size / 4 : size));
  const s = strides.map((stride, i) => (vector && i !== last ? stride / 4 : stride));
  while (d.length < 5) {
    d.unshift(1);
    s.unshift(0);
  }
  // Windows along the slowest axis, where it is the slowest of both.
  const axis = 5 - sizes.length;
  const block = numel(d.slice(axis + 1));
  const cut = s[axis] === block ? d[axis] : 1;
  const item = y.size / cut;
  const shares = [x, y].map((tensor) => ({ tensor, elementsPerItem: item }));
  const words = item / width / (vector ? 4 : 1);
  for (const { first, count } of windows(gpu, cut, shares)) {
    const size = count * words;
    gpu.launch(
      'layout/strided',
      { x: part(x, first * item, count * item), y: part(y, first * item, count * item) },
      {
        size,
        d1: d[1],
        d2: d[2],
        d3: d[3],
        width: d[4],
        s0: s[0],
        s1: s[1],
        s2: s[2],
        s3: s[3],
        s4: s[4],
      },
      { ...walkGrid(gpu, size), defines: { VEC4: vector, RANK: sizes.length, ...narrowRows(gpu, d[4]) } },
    );
  }
}

/** Blocks of one tensor: `outer` of them, `stride` apart, the first at `start` (in elements). */
interface Blocks {
  readonly tensor: Tensor;
  readonly start: number;
  readonly stride: number;
}

/** Copies `outer` blocks of `length` elements; fills with zeros where there is no source. */
function copyBlocks(from: Blocks | null, to: Blocks, outer: number, length: number): void {
  const { gpu } = to.tensor;
  const bytes = bytesOf(to.tensor.dtype, 1);
  if (outer === 1) {
    const { range } = part(to.tensor, to.start, length);
    if (from) gpu.copy(part(from.tensor, from.start, length).range, range);
    else gpu.clear(range);
    return;
  }
  const ends = from ? [from, to] : [to];
  const counts = [length, ...ends.flatMap(({ start, stride }) => [start, stride])];
  const width = (4 / bytes) * (counts.every((n) => n % (16 / bytes) === 0) ? 4 : 1);
  const size = (outer * length) / width;
  const shares = ends.map(({ tensor, stride }) => ({ tensor, elementsPerItem: stride }));
  for (const { first, count } of windows(gpu, outer, shares)) {
    const bind = ({ tensor, stride }: Blocks) => part(tensor, first * stride, count * stride);
    gpu.launch(
      'layout/blocks',
      from ? { x: bind(from), y: bind(to) } : { y: bind(to) },
      {
        size: (size / outer) * count,
        width: length / width,
        xStart: (from?.start ?? 0) / width,
        xStride: (from?.stride ?? 0) / width,
        yStart: to.start / width,
        yStride: to.stride / width,
      },
      {
        ...walkGrid(gpu, (size / outer) * count),
        defines: { ZERO: from === null, VEC4: width * bytes === 16, ...narrowRows(gpu, length / width) },
      },
    );
  }
}

/** Cuts x along an axis into parts of the given sizes; parts that are not wanted give null and cost nothing. */
export function split(
  x: Tensor,
  sizes: readonly number[],
  axis: number,
  wanted: readonly boolean[] = sizes.map(() => true),
): (Tensor | null)[] {
  const total = x.dim(axis);
  const at = axis < 0 ? axis + x.rank : axis;
  check(
    sizes.every((n) => Number.isInteger(n) && n > 0) && sizes.reduce((a, n) => a + n, 0) === total,
    'shape',
    () => {
      return `split: parts of [${sizes.join(', ')}] do not make up axis ${axis} of ${showShape(x.shape)}`;
    },
  );
  const inner = numel(x.shape.slice(at + 1));
  const outer = numel(x.shape.slice(0, at));
  if (bytesOf(x.dtype, 1) === 2 && sizes.some((n) => (n * inner) % 2 !== 0)) {
    const wide = cast(x, 'f32', 'scratch');
    const parts = split(wide, sizes, axis, wanted).map((t) => t && narrowed(t, x));
    wide.dispose();
    return parts;
  }
  let start = 0;
  return sizes.map((n, i) => {
    const from = { tensor: x, start: start * inner, stride: total * inner };
    start += n;
    if (!wanted[i]) return null;
    const y = empty(x.gpu, x.shape.with(at, n), { dtype: x.dtype });
    copyBlocks(from, { tensor: y, start: 0, stride: n * inner }, outer, n * inner);
    return y;
  });
}

/** Joins tensors along an axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  check(parts.length > 0, 'shape', () => 'concat: there is nothing to join');
  const gpu = checkDevice('concat', ...parts);
  const [head] = parts;
  head.dim(axis);
  const at = axis < 0 ? axis + head.rank : axis;
  for (const t of parts) {
    check(
      t.dtype === head.dtype &&
        t.rank === head.rank &&
        sameShape(t.shape.with(at, 1), head.shape.with(at, 1)),
      'shape',
      () => {
        return `concat: ${t.describe()} does not fit ${head.describe()} along axis ${axis}`;
      },
    );
  }
  const total = parts.reduce((n, t) => n + t.shape[at], 0);
  const shape = head.shape.with(at, total);
  const inner = numel(head.shape.slice(at + 1));
  const outer = numel(head.shape.slice(0, at));
  if (bytesOf(head.dtype, 1) === 2 && parts.some((t) => (t.shape[at] * inner) % 2 !== 0)) {
    const wide = parts.map((t) => cast(t, 'f32', 'scratch'));
    const y = narrowed(concat(wide, axis), head);
    for (const t of wide) t.dispose();
    return y;
  }
  const y = empty(gpu, shape, { dtype: head.dtype });
  let start = 0;
  for (const t of parts) {
    const length = t.shape[at] * inner;
    const to = { tensor: y, start: start * inner, stride: total * inner };
    copyBlocks({ tensor: t, start: 0, stride: length }, to, outer, length);
    start += t.shape[at];
  }
  return y;
}

/** `length` positions of an axis, beginning with `start`. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  const sizes = narrowSizes(x, axis, start, length);
  return split(
    x,
    sizes,
    axis,
    sizes.map((_, i) => i === (start > 0 ? 1 : 0)),
  )[start > 0 ? 1 : 0] as Tensor;
}

function narrowSizes(x: Tensor, axis: number, start: number, length: number): number[] {
  const total = x.dim(axis);
  const whole = Number.isInteger(start) && Number.isInteger(length);
  check(whole && start >= 0 && length > 0 && start + length <= total, 'shape', () => {
    return `narrow: positions ${start} to ${start + length} do not exist along axis ${axis} of ${showShape(x.shape)}`;
  });
  return [start, length, total - start - length].filter((n) => n > 0);
}

/** The gradient of {@link narrow}: g where the positions were, zeros elsewhere. */
export function narrowBackward(g: Tensor, shape: Shape, axis: number, start: number): Tensor {
  const at = axis < 0 ? axis + shape.length : axis;
  const inner = numel(shape.slice(at + 1));
  const outer = numel(shape.slice(0, at));
  const dx = empty(g.gpu, shape);
  const stride = shape[at] * inner;
  const length = g.shape[at] * inner;
  const after = stride - start * inner - length;
  if (start > 0) copyBlocks(null, { tensor: dx, start: 0, stride }, outer, start * inner);
  copyBlocks(
    { tensor: g, start: 0, stride: length },
    { tensor: dx, start: start * inner, stride },
    outer,
    length,
  );
  if (after > 0) copyBlocks(null, { tensor: dx, start: stride - after, stride }, outer, after);
  return dx;
}

/** 16-bit elements that do not move in pairs go through f32, which holds them exactly. */
function throughF32(x: Tensor, op: (x: Tensor) => Tensor): Tensor {
  const wide = cast(x, 'f32', 'scratch');
  const y = narrowed(op(wide), x);
  wide.dispose();
  return y;
}

/** Converts back to the dtype of `like`, freeing the f32 tensor. */
function narrowed(wide: Tensor, like: Tensor): Tensor {
  const y = cast(wide, like.dtype);
  wide.dispose();
  return y;
}

function reshaped(x: Tensor, shape: Shape): Tensor {
  const y = x.alias(shape);
  x.dispose();
  return y;
}
