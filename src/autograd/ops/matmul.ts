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
  checkFits(x, weight);
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

function checkFits(x: Tensor, weight: Tensor): void {
  check(x.rank >= 2 && weight.rank === 2 && x.dim(-1) === weight.shape[1], 'shape', () => {
    return `linear: x ${showShape(x.shape)} and weight ${showShape(weight.shape)} do not fit; expected [..., in] and [out, in]`;
  });
}

/** A low-rank term beside a linear layer: `scale * (input A^T) B^T`. */
export interface LowRankTerm {
  /** [rank, in]. */
  readonly a: Tensor;
  /** [out, rank]. */
  readonly b: Tensor;
  readonly scale: number;
  /** What it sees: the layer's own input, or that after dropout. */
  readonly input: Tensor;
}

/**
 * {@link linear} plus a low-rank term, which is added in place: nothing of the output's size is made besides the output, and
 * the gradient of a shared input is one sum.
 */
export function adaptedLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  { a, b, scale, input }: LowRankTerm,
): Tensor {
  checkFits(x, weight);
  checkFits(input, a);
  const y = matmulKernel(x, weight, { transposeB: true, bias: bias ?? undefined });
  const narrow = matmulKernel(input, a, { transposeB: true });
  matmulKernel(narrow, b, { transposeB: true, scale, into: y });
  const shared = input === x;
  differentiable({
    name: 'adaptedLinear',
    inputs: [a, b, x, weight, ...(bias ? [bias] : []), ...(shared ? [] : [input])],
    outputs: [y],
    saved: [a, b, input, narrow, ...(x.tracked ? [weight] : []), ...(weight.tracked ? [x] : [])],
    backward: ([g], saved, { needs, accumulator }) => {
      const [a, b, input, narrow] = saved;
      const g2d = rows(g!);
      const sum = (i: number, left: Tensor, right: Tensor, factor: number): InputGradient => {
        const into = accumulator(i) ?? undefined;
        const made = matmulKernel(left, right, { transposeA: true, scale: factor, into });
        return into ? ACCUMULATED : made;
      };
      const [needsA, needsB, needsX, needsWeight] = needs;
      const needsInput = shared ? needsX : needs[needs.length - 1];
      const gNarrow = needsA || needsInput ? matmulKernel(g!, b, { scale }) : null;
      const dx = needsX ? matmulKernel(g!, saved[4], { precision: gradientPrecision(saved[4]) }) : null;
      const dInput =
        gNarrow && needsInput ? matmulKernel(gNarrow, a, { into: shared ? dx! : undefined }) : null;
      return [
        gNarrow && needsA ? sum(0, rows(gNarrow), rows(input), 1) : null,
        needsB ? sum(1, g2d, rows(narrow), scale) : null,
        dx,
        needsWeight ? sum(3, g2d, rows(saved[saved.length - 1]), 1) : null,
        ...(bias ? [needs[4] ? sumToShape(g!, bias.shape) : null] : []),
        ...(shared ? [] : [dInput]),
      ];
    },
  });
  return y;
}
