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
  const [rankOfB, precision] = [b.rank, gradientPrecision(b)];
  differentiable({
    name: 'matmul',
    inputs: [a, b],
    outputs: [y],
    saved: [...(needsA ? [b] : []), ...(needsB ? [a] : [])],
    backward: ([g], saved, { needs }) => [
      needs[0] ? gradientOfA(g!, saved[0], a.shape.length) : null,
      needs[1] ? gradientOfB(g!, saved[saved.length - 1], rankOfB, precision) : null,
    ],
  });
  return y;
}

function gradientOfA(g: Tensor, b: Tensor, rank: number): Tensor {
  const gradient = matmulKernel(g, b, { transposeB: true, precision: gradientPrecision(b) });
  return gradient.rank === rank ? gradient : sumToShape(gradient, gradient.shape.slice(-2));
}

function gradientOfB(g: Tensor, a: Tensor, rank: number, precision: MatmulOptions['precision']): Tensor {
  // A `b` used by the whole batch sums over it, as if `a` were one tall matrix.
  if (rank === 2) return matmulKernel(rows(a), rows(g), { transposeA: true, precision });
  return matmulKernel(a, g, { transposeA: true, precision });
}

/** All leading dimensions as one. */
function rows(x: Tensor): Tensor {
  return x.alias([x.size / x.dim(-1), x.dim(-1)]);
}

/**
 * `x` [..., in] times the transpose of `weight` [out, in] (f32, f16 or bf16), plus `bias` [out]. The gradient of the
 * weight is added in place to an existing one; frozen weights and biases cost nothing.
 *
 * A `residual` of the output's shape is added in the same launch. No activation is fused here: its gradient needs what went
 * into it. Where no gradients are wanted, the `matmul` kernel fuses it. With `precision: 'f16'` all products may round their
 * operands for matrix units; without, only the gradients of f16 or bf16 weights, and of `x` through them, may.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: Pick<MatmulOptions, 'precision' | 'residual'> = {},
): Tensor {
  checkFits(x, weight);
  const { precision, residual } = options;
  const y = matmulKernel(x, weight, { transposeB: true, bias: bias ?? undefined, residual, precision });
  const [needsX, needsWeight] = [x.tracked, weight.tracked];
  const backwardPrecision = precision ?? gradientPrecision(weight);
  differentiable({
    name: 'linear',
    inputs: [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])],
    outputs: [y],
    saved: [...(needsX ? [weight] : []), ...(needsWeight ? [x] : [])],
    backward: ([g], saved, { needs, accumulator }) => {
      const gradients: InputGradient[] = needs.map(() => null);
      if (needs[0]) {
        gradients[0] = matmulKernel(g!, saved[0], { precision: backwardPrecision });
      }
      if (needs[1]) {
        const into = accumulator(1) ?? undefined;
        const x2d = rows(saved[saved.length - 1]);
        const dw = matmulKernel(rows(g!), x2d, { transposeA: true, into, precision: backwardPrecision });
        gradients[1] = into ? ACCUMULATED : dw;
      }
      if (bias && needs[2]) gradients[2] = sumToShape(g!, bias.shape);
      const last = needs.length - 1;
      if (residual && needs[last]) gradients[last] = g;
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
  { residual }: Pick<MatmulOptions, 'residual'> = {},
): Tensor {
  checkFits(x, weight);
  checkFits(input, a);
  const y = matmulKernel(x, weight, { transposeB: true, bias: bias ?? undefined, residual });
  const narrow = matmulKernel(input, a, { transposeB: true });
  matmulKernel(narrow, b, { transposeB: true, scale, into: y });
  const inputs = [a, b, x, weight];
  const place = (tensor: Tensor | null | undefined) => (tensor ? inputs.push(tensor) - 1 : -1);
  const isShared = input === x;
  const precision = gradientPrecision(weight);
  const [atBias, atResidual, atInput] = [place(bias), place(residual), isShared ? 2 : place(input)];
  differentiable({
    name: 'adaptedLinear',
    inputs,
    outputs: [y],
    saved: [a, b, input, narrow, ...(x.tracked ? [weight] : []), ...(weight.tracked ? [x] : [])],
    backward: ([g], saved, { needs, accumulator }) => {
      const [a, b, input, narrow] = saved;
      const gradients: InputGradient[] = needs.map(() => null);
      const addUp = (i: number, left: Tensor, right: Tensor, options: MatmulOptions = {}) => {
        const into = accumulator(i) ?? undefined;
        const sum = matmulKernel(rows(left), rows(right), { transposeA: true, into, ...options });
        gradients[i] = into ? ACCUMULATED : sum;
      };
      let dx: Tensor | undefined;
      if (needs[2]) {
        dx = matmulKernel(g!, saved[4], { precision });
        gradients[2] = dx;
      }
      if (needs[3]) addUp(3, g!, saved[saved.length - 1], { precision });
      if (needs[1]) addUp(1, g!, narrow, { scale });
      if (needs[0] || needs[atInput]) {
        const gNarrow = matmulKernel(g!, b, { scale });
        if (needs[0]) addUp(0, gNarrow, input);
        if (needs[atInput])
          gradients[atInput] = matmulKernel(gNarrow, a, { into: isShared ? dx : undefined });
      }
      if (bias && needs[atBias]) gradients[atBias] = sumToShape(g!, bias.shape);
      if (residual && needs[atResidual]) gradients[atResidual] = g;
      return gradients;
    },
  });
  return y;
}
