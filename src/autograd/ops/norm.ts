/** Differentiable RMSNorm and LayerNorm. */
import {
  type NormInputs,
  normForward,
  normInputGradient,
  normParameterGradients,
} from '../../kernels/norm.js';
import type { Tensor } from '../../tensor/index.js';
import { ACCUMULATED, differentiable, type InputGradient } from '../graph.js';

/** Inputs are ordered x, weight, then bias and residual where they exist; outputs are y, then h. */
function norm(args: NormInputs): { y: Tensor; h: Tensor | null } {
  const { kind, x, weight, aroundOne, bias, residual } = args;
  const { y, rstd, mean, h } = normForward(args);
  differentiable({
    name: kind,
    inputs: [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])],
    outputs: h ? [y, h] : [y],
    saved: [h ?? x, weight, rstd, ...(mean ? [mean] : [])],
    backward: (
      [gradient, direct = null],
      [input, w, savedRstd, savedMean = null],
      { needs, accumulator },
    ) => {
      const results: InputGradient[] = needs.map(() => null);
      const atResidual = bias ? 3 : 2;
      if (!gradient) {
        if (direct) for (const i of [0, atResidual]) if (needs[i]) results[i] = direct;
        return results;
      }
      const inputs = { kind, x: input, gradient, rstd: savedRstd, mean: savedMean, aroundOne };
      const needsBias = Boolean(bias) && needs[2];
      if (needs[1] || needsBias) {
        const weightInto = accumulator(1);
        const biasInto = needsBias ? accumulator(2) : null;
        const found = normParameterGradients(inputs, { weightInto, bias: needsBias, biasInto });
        if (needs[1]) results[1] = weightInto ? ACCUMULATED : found.weight;
        if (needsBias) results[2] = biasInto ? ACCUMULATED : found.bias;
      }
      if (needs[0] || (residual && needs[atResidual])) {
        const dx = normInputGradient(inputs, w, direct);
        if (needs[0]) results[0] = dx;
        if (residual && needs[atResidual]) results[atResidual] = dx;
      }
      return results;
    },
  });
  return { y, h };
}

/** How a norm's weight is stored. */
export interface NormWeight {
  /** As its distance from one. */
  readonly aroundOne?: boolean | undefined;
}

/** `x / sqrt(mean(x^2) + eps) * weight` over the last axis. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number, { aroundOne }: NormWeight = {}): Tensor {
  return norm({ kind: 'rmsNorm', x, weight, aroundOne, eps }).y;
}

/** `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis, with the biased variance. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor | null, eps: number): Tensor {
  return norm({ kind: 'layerNorm', x, weight, bias, eps }).y;
}

/** `h = x + residual; y = rmsNorm(h)` in one kernel; returns both. */
export function addRmsNorm(
  x: Tensor,
  residual: Tensor,
  weight: Tensor,
  eps: number,
  { aroundOne }: NormWeight = {},
): { y: Tensor; h: Tensor } {
  const { y, h } = norm({ kind: 'rmsNorm', x, residual, weight, aroundOne, eps });
  return { y, h: h as Tensor };
}

/** `h = x + residual; y = layerNorm(h)` in one kernel; returns both. */
export function addLayerNorm(
  x: Tensor,
  residual: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  eps: number,
): { y: Tensor; h: Tensor } {
  const { y, h } = norm({ kind: 'layerNorm', x, residual, weight, bias, eps });
  return { y, h: h as Tensor };
}
