/** Differentiable sums, means and softmax. */
import { reduceAll, reduceAxis, spread } from '../../kernels/reduce.js';
import { type SoftmaxKind, softmaxBackward, softmaxForward } from '../../kernels/softmax.js';
import type { Tensor } from '../../tensor/index.js';
import { differentiable } from '../graph.js';

/** What a reduction reduces: one axis, or everything where it is left out. */
export interface ReduceOptions {
  readonly axis?: number;
  /** Keep the axis as a dimension of size 1. */
  readonly keepDims?: boolean;
}

function reduction(op: 'sum' | 'mean', x: Tensor, { axis, keepDims }: ReduceOptions): Tensor {
  const y = axis === undefined ? reduceAll(op, x) : reduceAxis(op, x, axis, keepDims);
  const at = axis === undefined ? null : axis < 0 ? axis + x.rank : axis;
  const { shape } = x;
  const scale = op === 'mean' ? y.size / x.size : 1;
  differentiable({
    name: op,
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [spread(g!, shape, at, scale)],
  });
  return y;
}

/** Sum over one axis, or of all elements (shape []). */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduction('sum', x, options);
}

/** Mean over one axis, or of all elements (shape []). */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduction('mean', x, options);
}

function softmaxOp(kind: SoftmaxKind, x: Tensor): Tensor {
  const y = softmaxForward(kind, x);
  differentiable({
    name: kind,
    inputs: [x],
    outputs: [y],
    saved: [y],
    backward: ([g], [result]) => [softmaxBackward(kind, result, g!)],
  });
  return y;
}

/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return softmaxOp('softmax', x);
}

/** Log-softmax over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return softmaxOp('logSoftmax', x);
}
