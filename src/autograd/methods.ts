/**
 * Differentiable ops as methods of Tensor, so that expressions read from left to right: `x.matmul(w).add(b).gelu()`.
 * Each is the function of the same name; a number where a tensor may stand is a constant.
 */
import { full } from '../kernels/elementwise.js';
import { type DType, type Shape, Tensor } from '../tensor/index.js';
import { type BackwardOptions, backward } from './backward.js';
import * as ops from './ops/index.js';

/** What stands beside a tensor in arithmetic. */
export type Operand = Tensor | number;
const UNARY = {
  abs: ops.abs,
  exp: ops.exp,
  gelu: ops.gelu,
  log: ops.log,
  logSoftmax: ops.logSoftmax,
  neg: ops.neg,
  quickGelu: ops.quickGelu,
  relu: ops.relu,
  sigmoid: ops.sigmoid,
  silu: ops.silu,
  softmax: ops.softmax,
  sqrt: ops.sqrt,
  square: ops.square,
  tanh: ops.tanh,
} as const;

/** The methods that this module adds. */
interface Methods extends Record<keyof typeof UNARY, () => Tensor> {
  /** Sum, element by element; axes of length 1 are repeated. */
  add(other: Operand): Tensor;
  /** Difference. */
  sub(other: Operand): Tensor;
  /** Product, element by element. */
  mul(other: Operand): Tensor;
  /** Quotient. */
  div(other: Operand): Tensor;
  /** Matrix product over the last two axes. */
  matmul(other: Tensor): Tensor;
  /** `x weight^T + bias`, weight [out, in]. */
  linear(weight: Tensor, bias?: Tensor): Tensor;
  /** Sum of all elements, or along an axis. */
  sum(options?: ops.ReduceOptions): Tensor;
  /** Mean of all elements, or along an axis. */
  mean(options?: ops.ReduceOptions): Tensor;
  /** The same elements in another shape; no copy. */
  reshape(shape: Shape): Tensor;
  /** Swaps two axes, by default the last two. */
  transpose(a?: number, b?: number): Tensor;
  /** Axes in another order. */
  permute(axes: readonly number[]): Tensor;
  /** A part of one axis. */
  narrow(axis: number, start: number, length: number): Tensor;
  /** The same values as another dtype. */
  cast(dtype: DType): Tensor;
  /** Adds gradients of this tensor to `grad` of all leaves. */
  backward(options?: BackwardOptions): void;
}

declare module '../tensor/tensor.js' {
  interface Tensor extends Methods {}
}

const isNumber = (value: Operand): value is number => typeof value === 'number';

const methods: ThisType<Tensor> & Omit<Methods, keyof typeof UNARY> = {
  add(other) {
    return isNumber(other) ? ops.affine(this, 1, other) : ops.add(this, other);
  },
  sub(other) {
    return isNumber(other) ? ops.affine(this, 1, -other) : ops.sub(this, other);
  },
  mul(other) {
    return isNumber(other) ? ops.affine(this, other) : ops.mul(this, other);
  },
  div(other) {
    if (!isNumber(other)) return ops.div(this, other);
    // Not a product with the reciprocal, which rounds differently.
    const divisor = full(this.gpu, [1], other);
    const y = ops.div(this, divisor);
    divisor.dispose();
    return y;
  },
  matmul(other) {
    return ops.matmul(this, other);
  },
  linear(weight, bias) {
    return ops.linear(this, weight, bias);
  },
  sum(options) {
    return ops.sum(this, options);
  },
  mean(options) {
    return ops.mean(this, options);
  },
  reshape(shape) {
    return ops.reshape(this, shape);
  },
  transpose(a, b) {
    return ops.transpose(this, a, b);
  },
  permute(axes) {
    return ops.permute(this, axes);
  },
  narrow(axis, start, length) {
    return ops.narrow(this, axis, start, length);
  },
  cast(dtype) {
    return ops.cast(this, dtype);
  },
  backward(options) {
    backward(this, options);
  },
};

Object.assign(Tensor.prototype, methods);
for (const [name, f] of Object.entries(UNARY)) {
  Object.assign(Tensor.prototype, {
    [name](this: Tensor): Tensor {
      return f(this);
    },
  });
}
