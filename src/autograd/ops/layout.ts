/** Differentiable movement of elements. Gathers add up in their gradient; everything else is a bijection. */
import { check } from '../../gpu/index.js';
import { binary } from '../../kernels/elementwise.js';
import {
  concat as concatKernel,
  narrowBackward,
  narrow as narrowKernel,
  permute as permuteKernel,
  split as splitKernel,
} from '../../kernels/layout.js';
import {
  gatherRows as gatherKernel,
  type RowIds,
  rowIds,
  scatterRows as scatterKernel,
} from '../../kernels/layout-rows.js';
import { scatterAddRows } from '../../kernels/scatter.js';
import { scope, type Tensor, zeros } from '../../tensor/index.js';
import { differentiable } from '../graph.js';

/** Reorders the axes: axis i of the result is axis `axes[i]` of x. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const y = permuteKernel(x, axes);
  const back = x.shape.map((_, i) => axes.findIndex((a) => (a < 0 ? a + x.rank : a) === i));
  differentiable({
    name: 'permute',
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [permuteKernel(g!, back)],
  });
  return y;
}

/** Swaps two axes, by default the last two. */
export function transpose(x: Tensor, a = -2, b = -1): Tensor {
  const axes = x.shape.map((_, i) => i);
  for (const axis of [a, b]) x.dim(axis);
  [axes[a < 0 ? a + x.rank : a], axes[b < 0 ? b + x.rank : b]] = [axes.at(b)!, axes.at(a)!];
  return permute(x, axes);
}

/** `length` positions of an axis, beginning with `start`. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  const y = narrowKernel(x, axis, start, length);
  const { shape } = x;
  differentiable({
    name: 'narrow',
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [narrowBackward(g!, shape, axis, start)],
  });
  return y;
}

/** Cuts x along an axis into parts of the given sizes. */
export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const outputs = splitKernel(x, sizes, axis) as Tensor[];
  const { shape, gpu } = x;
  differentiable({
    name: 'split',
    inputs: [x],
    outputs,
    saved: [],
    backward: (grads) => {
      const at = axis < 0 ? axis + shape.length : axis;
      const parts = grads.map(
        (g, i) =>
          g ??
          zeros(
            gpu,
            shape.map((d, a) => (a === at ? sizes[i] : d)),
          ),
      );
      return [concatKernel(parts, axis)];
    },
  });
  return outputs;
}

/** Joins tensors along an axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const y = concatKernel(parts, axis);
  const sizes = parts.map((t) => t.dim(axis));
  differentiable({
    name: 'concat',
    inputs: parts,
    outputs: [y],
    saved: [],
    backward: ([g], _, { needs }) => splitKernel(g!, sizes, axis, needs),
  });
  return y;
}

/**
 * Rows of x [N, ...] by number, repeats allowed: [ids, ...]. The gradient adds up the rows of equal numbers in a fixed
 * order.
 */
export function gatherRows(x: Tensor, ids: RowIds): Tensor {
  const list = rowIds('gatherRows', x.gpu, ids, x.dim(0), false);
  const y = gatherKernel(x, list);
  const { shape } = x;
  differentiable({
    name: 'gatherRows',
    inputs: [x],
    outputs: [y],
    saved: [list],
    backward: ([g], [saved]) => {
      const dx = zeros(g!.gpu, shape);
      const dim = dx.size / shape[0];
      scatterAddRows(dx.alias([shape[0], dim]), g!.alias([saved.size, dim]), saved);
      return [dx];
    },
  });
  return y;
}

/** Reorders the rows of x [N, ...]: row i of the result is row `order[i]` of x, each row once. */
export function permuteRows(x: Tensor, order: ArrayLike<number>): Tensor {
  const rows = x.dim(0);
  check(order.length === rows, 'shape', () => {
    return `permuteRows: ${order.length} positions do not reorder the ${rows} rows of ${x.describe()}`;
  });
  const inverse = new Int32Array(rows);
  for (let i = 0; i < rows; i++) inverse[order[i]] = i;
  const list = rowIds('permuteRows', x.gpu, order, rows, true);
  const y = gatherKernel(x, list);
  list.dispose();
  differentiable({
    name: 'permuteRows',
    inputs: [x],
    outputs: [y],
    saved: [rowIds('permuteRows', x.gpu, inverse, rows, true)],
    backward: ([g], [back]) => [gatherKernel(g!, back)],
  });
  return y;
}

/** A copy of x [N, ...] in which row `ids[t]` is `rows[t]`; no number may repeat. */
export function scatterRows(x: Tensor, rows: Tensor, ids: RowIds): Tensor {
  const list = rowIds('scatterRows', x.gpu, ids, x.dim(0), true);
  const y = scatterKernel(x, rows, list);
  differentiable({
    name: 'scatterRows',
    inputs: [x, rows],
    outputs: [y],
    saved: [list],
    backward: ([g], [saved], { needs }) => [
      needs[0] ? scatterKernel(g!, null, saved) : null,
      needs[1] ? gatherKernel(g!, saved) : null,
    ],
  });
  return y;
}

/** A copy of x [N, ...] with `rows[t]` added to row `ids[t]`; no number may repeat. */
export function addRows(x: Tensor, rows: Tensor, ids: RowIds): Tensor {
  const list = rowIds('addRows', x.gpu, ids, x.dim(0), true);
  const y = scope(() => scatterKernel(x, binary('add', gatherKernel(x, list), rows), list));
  differentiable({
    name: 'addRows',
    inputs: [x, rows],
    outputs: [y],
    saved: [list],
    backward: ([g], [saved], { needs }) => [g, needs[1] ? gatherKernel(g!, saved) : null],
  });
  return y;
}
