/**
 * Layers in a step of generation: no gradients are wanted, there are few rows, and each launch costs about as much as the
 * arithmetic in it. So layers that take the same input run as one where their weights lie together.
 */

import { swiglu } from '../autograd/index.js';
import { matmul } from '../kernels/matmul.js';
import { stackOf, type Tensor } from '../tensor/index.js';
import type { Linear } from './linear.js';
import type { Norm } from './norm.js';

/** Layers over the same input as one layer: what they give stands side by side in each row. */
interface JoinedLayer {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
}

/** Layers as one, or null where their weights do not lie together. */
function joined(layers: readonly Linear[]): JoinedLayer | null {
  if (layers.some(({ adapter }) => adapter)) return null;
  const weight = stackOf(layers.map((layer) => layer.weight));
  const biases = layers.flatMap(({ bias }) => bias ?? []);
  const bias = biases.length === layers.length ? stackOf(biases) : null;
  return weight && (bias || biases.length === 0) ? { weight, bias } : null;
}

/** What layers over the same normalised input give, side by side [T, sum of outputs]; null where they do not run as one. */
export function projectAsOne(layers: readonly Linear[], x: Tensor, norm: Norm): Tensor | null {
  const layer = joined(layers);
  if (!layer) return null;
  const { weight, bias } = layer;
  return matmul(norm.forward(x), weight, { transposeB: true, bias: bias ?? undefined });
}

/** `silu(gate(norm(x))) * up(norm(x))`. */
export function projectGated(gate: Linear, up: Linear, x: Tensor, norm: Norm): Tensor {
  const both = projectAsOne([gate, up], x, norm);
  if (both) return swiglu(both);
  const y = norm.forward(x);
  return swiglu(gate.forward(y), up.forward(y));
}
