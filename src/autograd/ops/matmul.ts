/** Differentiable matrix products. */
import { check } from '../../gpu/index.js';
import { gradientPrecision, type MatmulOptions, matmul as matmulKernel } from '../../kernels/matmul.js';
import { sumToShape } from '../../kernels/reduce.js';
import { showShape, type Tensor } from '../../tensor/index.js';
import { ACCUMULATED, differentiable, type InputGradient } from '../graph.js';

/**
 * `a` [..., M, K] times `b` [..., K, N] (f32, f16 or bf16); leading dimensions are equal, or one operand has none and is
 * used for all.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const y = matmulKernel(a, b);
  const [needsA, needsB] = [a.tracked, b.tracked];
  differentiable({
    name: 'matmul',
    inputs: [a, b],
    outputs: [y],
    saved: [...(needsA ? [b] : []), ...(needsB ? [a] : [])],
    backward: ([g], saved, { needs }) => [
      needs[0] ? gradientOfA(g!, saved[0], a.shape.length) : null,
      needs[1] ? gradientOfB(g!, saved[saved.length - 1], b.shape.length) : null,
    ],
  });
  return y;
}

function gradientOfA(g: Tensor, b: Tensor, rank: number): Tensor {
  const gradient = matmulKernel(g, b, { transposeB: true, precision: gradientPrecision(b) });
  return gradient.rank === rank ? gradient : sumToShape(gradient, gradient.shape.slice(-2));
}

function gradientOfB(g: Tensor, a: Tensor, rank: number): Tensor {
  // A `b` used by the whole batch sums over it, as if `a` were one tall matrix.
  if (rank === 2) return matmulKernel(rows(a), rows(g), { transposeA: true });
  return matmulKernel(a, g, { transposeA: true });
}

/** All leading dimensions as one. */
function rows(x: Tensor): Tensor {
  return x.alias([x.size / x.dim(-1), x.dim(-1)]);
}

/**
 * `x` [..., in] times the transpose of `weight` [out, in] (f32, f16 or bf16), plus `bias` [out]. The gradient of the
 * weight is added in place to an existing one; frozen weights and biases cost nothing.
 *
 * No activation is fused here: its gradient needs what went into it. Where no gradients are wanted, the `matmul` kernel
 * fuses it. With `precision: 'f16'` all products may round their operands for matrix units, also the gradient of the weight,
 * whose operands are f32; without, only the gradient of `x` through f16 or bf16 weights may.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: Pick<MatmulOptions, 'precision'> = {},
): Tensor {
  check(x.rank >= 2 && weight.rank === 2 && x.dim(-1) === weight.shape[1], 'shape', () => {
    return `linear: x ${showShape(x.shape)} and weight ${showShape(weight.shape)} do not fit; expected [..., in] and [out, in]`;
  });
  const { precision } = options;
  const y = matmulKernel(x, weight, { transposeB: true, bias: bias ?? undefined, precision });
  const [needsX, needsWeight] = [x.tracked, weight.tracked];
  differentiable({
    name: 'linear',
    inputs: bias ? [x, weight, bias] : [x, weight],
    outputs: [y],
    saved: [...(needsX ? [weight] : []), ...(needsWeight ? [x] : [])],
    backward: ([g], saved, { needs, accumulator }) => {
      const gradients: InputGradient[] = [null, null];
      if (needs[0]) {
        gradients[0] = matmulKernel(g!, saved[0], { precision: precision ?? gradientPrecision(saved[0]) });
      }
      if (needs[1]) {
        const into = accumulator(1) ?? undefined;
        const x2d = rows(saved[saved.length - 1]);
        const dw = matmulKernel(rows(g!), x2d, { transposeA: true, into, precision });
        gradients[1] = into ? ACCUMULATED : dw;
      }
      if (bias) gradients[2] = needs[2] ? sumToShape(g!, bias.shape) : null;
      return gradients;
    },
  });
  return y;
}
