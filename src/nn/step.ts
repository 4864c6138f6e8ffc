/**
 * Layers in a step of generation: no gradients are wanted, there are few rows, and each launch costs about as much as the
 * arithmetic in it. So layers that take the same input run as one where their weights lie together, with the norm before
 * them and what is added after them.
 */
import { geglu, swiglu } from '../autograd/index.js';
import type { GatedOp } from '../kernels/activation.js';
import { matmul } from '../kernels/matmul.js';
import { type StepAdapter, type StepLayer, stepProduct, stepProductFits } from '../kernels/step-product.js';
import { stackOf, type Tensor } from '../tensor/index.js';
import type { Linear, LowRank } from './linear.js';
import type { Norm } from './norm.js';

/** What layers over the same normalised input give, side by side [T, sum of outputs]; null where they do not run as one. */
export function projectAsOne(layers: readonly Linear[], x: Tensor, norm: Norm): Tensor | null {
  const layer = joined(layers);
  if (!layer) return null;
  const [input, around] = normalised(x, norm);
  if (stepProductFits(input, layer, around)) return stepProduct(input, layer, around);
  const { weight, bias, adapter } = layer;
  return adapter ? null : matmul(norm.forward(x), weight, { transposeB: true, bias: bias ?? undefined });
}

/** The gated functions, of two tensors or of one that holds both. */
export const GATES = { swiglu, geglu } as const satisfies Record<GatedOp, unknown>;

/** `f(gate(norm(x))) * up(norm(x))`, where f is what the gated function applies to the gate. */
export function projectGated(gated: GatedOp, gate: Linear, up: Linear, x: Tensor, norm: Norm): Tensor {
  const layer = joined([gate, up]);
  const [input, around] = normalised(x, norm);
  if (layer && stepProductFits(input, layer, { ...around, gated })) {
    return stepProduct(input, layer, { ...around, gated });
  }
  const both = projectAsOne([gate, up], x, norm);
  if (both) return GATES[gated](both);
  const y = norm.forward(x);
  return GATES[gated](gate.forward(y), up.forward(y));
}

/** `layer(x) + residual`. */
export function project(layer: Linear, x: Tensor, residual?: Tensor): Tensor {
  const own = joined([layer]);
  if (own && stepProductFits(x, own, { residual })) return stepProduct(x, own, { residual });
  return layer.forward(x, undefined, residual);
}

/** What a product over `norm(x)` reads: x, where it computes the norm itself. */
function normalised(x: Tensor, norm: Norm) {
  const { weight, bias, options } = norm;
  if (bias || weight.dtype !== 'f32') return [norm.forward(x), {}] as const;
  return [x, { norm: { weight, ...options } }] as const;
}

/** Layers as one, whose results stand side by side; null where what they consist of does not lie together. */
function joined(layers: readonly Linear[]): StepLayer | null {
  const weight = stackOf(layers.map((layer) => layer.weight));
  const biases = layers.flatMap(({ bias }) => bias ?? []);
  const bias = biases.length === layers.length ? stackOf(biases) : null;
  if (!weight || (biases.length > 0 && !bias)) return null;
  const adapters = layers.flatMap(({ adapter }) => adapter ?? []);
  if (adapters.length === 0) return { weight, bias };
  const adapter = adapters.length === layers.length ? joinedAdapter(layers, adapters) : null;
  return adapter && { weight, bias, adapter };
}

function joinedAdapter(layers: readonly Linear[], adapters: readonly LowRank[]): StepAdapter | null {
  const [{ scale, b: first }] = adapters;
  const alike = adapters.every((own) => own.scale === scale && own.b.shape[1] === first.shape[1]);
  const a = stackOf(adapters.map((own) => own.a));
  const b = stackOf(adapters.map((own) => own.b));
  return alike && a && b ? { a, b, scale, parts: layers.map(({ outputs }) => outputs) } : null;
}
