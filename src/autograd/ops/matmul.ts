/** Differentiable matrix products. */
import { check } from '../../gpu/index.js';
import { matmul as matmulKernel } from '../../kernels/matmul.js';
import { sumToShape } from '../../kernels/reduce.js';
import { showShape, type Tensor } from '../../tensor/index.js';
import { ACCUMULATED, differentiable, type InputGradient } from '../graph.js';

/**
 * `a` [..., M, K] times `b` [..., K, N] (f32, f16 or bf16); leading dimensions are equal, or one operand has none and is
 * used for all.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const y = matmulKernel(a, b);
  differentiable({
    name: 'matmul',
    inputs: [a, b],
    outputs: [y],
    saved: [a, b],
    backward: ([g], [x, w], { needs }) => [
      needs[0] ? gradientOfA(g!, x, w) : null,
      needs[1] ? gradientOfB(g!, x, w) : null,
    ],
  });
  return y;
}

function gradientOfA(g: Tensor, a: Tensor, b: Tensor): Tensor {
  const gradient = matmulKernel(g, b, { transposeB: true });
  return a.rank === 2 ? summed(gradient, a) : gradient;
}

function gradientOfB(g: Tensor, a: Tensor, b: Tensor): Tensor {
  if (b.rank > 2) return matmulKernel(a, g, { transposeA: true });
  // Used by the whole batch: its rows add up as if A were one tall matrix.
  if (a.rank > 2) return matmulKernel(rows(a), rows(g), { transposeA: true });
  return matmulKernel(a, g, { transposeA: true });
}

/** Undoes the repetition of an operand without batch dimensions. */
function summed(gradient: Tensor, operand: Tensor): Tensor {
  return gradient.rank === operand.rank ? gradient : sumToShape(gradient, operand.shape);
}

/** All leading dimensions as one. */
function rows(x: Tensor): Tensor {
  return x.alias([x.size / x.dim(-1), x.dim(-1)]);
}

/**
 * `x` [..., in] times the transpose of `weight` [out, in] (f32, f16 or bf16), plus `bias` [out]. The gradient of the
 * weight is added in place to an existing one; frozen weights and biases cost nothing.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  check(x.rank >= 2 && weight.rank === 2 && x.dim(-1) === weight.shape[1], 'shape', () => {
    return `linear: x ${showShape(x.shape)} and weight ${showShape(weight.shape)} do not fit; expected [..., in] and [out, in]`;
  });
  const y = matmulKernel(x, weight, { transposeB: true, bias });
  const [needsX, needsWeight] = [x.tracked, weight.tracked];
  const saved = [needsX ? weight : null, needsWeight ? x : null].filter((t) => t !== null);
  differentiable({
    name: 'linear',
    inputs: bias ? [x, weight, bias] : [x, weight],
    outputs: [y],
    saved,
    backward: ([g], kept, { needs, accumulator }) => {
      const gradients: InputGradient[] = [null, null];
      if (needs[0]) gradients[0] = matmulKernel(g!, kept[0]);
      if (needs[1]) {
        const into = accumulator(1) ?? undefined;
        const dw = matmulKernel(rows(g!), rows(kept[kept.length - 1]), { transposeA: true, into });
        gradients[1] = into ? ACCUMULATED : dw;
      }
      if (bias) gradients[2] = needs[2] ? sumToShape(g!, bias.shape) : null;
      return gradients;
    },
  });
  return y;
}
