/** Differentiable unary functions and gated ones. */
import {
  type GatedOp,
  gatedBackward,
  gatedForward,
  UNARY,
  type UnaryOp,
  unary,
  unaryBackward,
} from '../../kernels/activation.js';
import type { Tensor } from '../../tensor/index.js';
import { differentiable } from '../graph.js';
import { affine } from './elementwise.js';

/** The differentiable form of a unary function. */
function op(name: UnaryOp): (x: Tensor) => Tensor {
  return (x) => {
    const y = unary(name, x);
    differentiable({
      name,
      inputs: [x],
      outputs: [y],
      saved: [UNARY[name].saves === 'x' ? x : y],
      backward: ([g], [saved]) => [unaryBackward(name, saved, g!)],
    });
    return y;
  };
}

/** `x * sigmoid(x)`. */
export const silu = op('silu');
/** GELU with the error function. */
export const gelu = op('gelu');
/** GELU in its tanh approximation. */
export const geluTanh = op('geluTanh');
/** `x * sigmoid(1.702 x)`. */
export const quickGelu = op('quickGelu');
/** `max(x, 0)`; its slope at 0 is 0. */
export const relu = op('relu');
/** Logistic function. */
export const sigmoid = op('sigmoid');
/** Hyperbolic tangent. */
export const tanh = op('tanh');
/** Exponential. */
export const exp = op('exp');
/** Natural logarithm. */
export const log = op('log');
/** Square root. */
export const sqrt = op('sqrt');
/** `x * x`. */
export const square = op('square');
/** `1 / x`. */
export const reciprocal = op('reciprocal');
/** Magnitude; its slope at 0 is 0. */
export const abs = op('abs');

/** `-x`. */
export function neg(x: Tensor): Tensor {
  return affine(x, -1);
}

/** The differentiable form of a gated function. */
function gated(name: GatedOp): (gate: Tensor, up?: Tensor | null) => Tensor {
  return (gate, up = null) => {
    const y = gatedForward(name, gate, up);
    const inputs = up ? [gate, up] : [gate];
    differentiable({
      name,
      inputs,
      outputs: [y],
      saved: inputs,
      backward: ([g], [savedGate, savedUp = null], { needs }) => {
        const found = gatedBackward(name, savedGate, savedUp, g!);
        return inputs.map((_, i) => (needs[i] ? found[i] : null));
      },
    });
    return y;
  };
}

/** `silu(gate) * up`; with one argument [..., 2 * width], its halves are gate and up. */
export const swiglu = gated('swiglu');
/** The same with GELU in its tanh approximation. */
export const geglu = gated('geglu');
