/** Differentiable arithmetic. */
import {
  affine as affineKernel,
  type BinaryOp,
  binary,
  cast as castKernel,
} from '../../kernels/elementwise.js';
import { sumToShape } from '../../kernels/reduce.js';
import type { DType, Tensor } from '../../tensor/index.js';
import { inferShape, type Shape, sameShape } from '../../tensor/index.js';
import { type BackwardFunction, differentiable } from '../graph.js';

function binaryOp(op: BinaryOp, a: Tensor, b: Tensor, saved: Tensor[], backward: BackwardFunction): Tensor {
  const y = binary(op, a, b);
  differentiable({ name: op, inputs: [a, b], outputs: [y], saved, backward });
  return y;
}

/** Undoes broadcasting: sums a gradient over the dimensions in which an operand was repeated. */
function unbroadcast(gradient: Tensor, shape: Shape): Tensor {
  return sameShape(gradient.shape, shape) ? gradient : sumToShape(gradient, shape);
}

/** `a + b`, broadcasting. */
export function add(a: Tensor, b: Tensor): Tensor {
  return binaryOp('add', a, b, [], ([g], _, { needs }) => [
    needs[0] ? unbroadcast(g!, a.shape) : null,
    needs[1] ? unbroadcast(g!, b.shape) : null,
  ]);
}

/** `a - b`, broadcasting. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return binaryOp('sub', a, b, [], ([g], _, { needs }) => [
    needs[0] ? unbroadcast(g!, a.shape) : null,
    needs[1] ? unbroadcast(affineKernel(g!, -1), b.shape) : null,
  ]);
}

/** `a * b`, broadcasting. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return binaryOp('mul', a, b, [a, b], ([g], [x, y], { needs }) => [
    needs[0] ? unbroadcast(binary('mul', g!, y), a.shape) : null,
    needs[1] ? unbroadcast(binary('mul', g!, x), b.shape) : null,
  ]);
}

/** `a / b`, broadcasting. */
export function div(a: Tensor, b: Tensor): Tensor {
  return binaryOp('div', a, b, [a, b], ([g], [x, y], { needs }) => {
    const overB = binary('div', g!, y);
    const db = () => affineKernel(binary('mul', overB, binary('div', x, y)), -1);
    return [needs[0] ? unbroadcast(overB, a.shape) : null, needs[1] ? unbroadcast(db(), b.shape) : null];
  });
}

/** `scale * x + shift` with constants. */
export function affine(x: Tensor, scale: number, shift = 0): Tensor {
  const y = affineKernel(x, scale, shift);
  differentiable({
    name: 'affine',
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [affineKernel(g!, scale)],
  });
  return y;
}

/** Converts the storage dtype. Gradients stay f32, whatever the storage. */
export function cast(x: Tensor, dtype: DType): Tensor {
  const y = castKernel(x, dtype);
  differentiable({ name: 'cast', inputs: [x], outputs: [y], saved: [], backward: ([g]) => [g] });
  return y;
}

/** The same elements in another shape, without copying; one dimension may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const y = x.alias(inferShape(shape, x.size, 'reshape'));
  const from = x.shape;
  differentiable({
    name: 'reshape',
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [g!.alias(from)],
  });
  return y;
}
