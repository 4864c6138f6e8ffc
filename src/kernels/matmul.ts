/**
 * Matrix products: y = act(scale * A B + beta * y + bias) + residual, batched, any sizes, A or B transposed, B stored in
 * f32, f16, bf16, nf4 or int4. Arithmetic and sums are f32, or as good (see shaders/matmul/subgroup-matrix.wgsl), unless a caller
 * allows less.
 */
import { check, type Purpose } from '../gpu/index.js';
import { empty, numel, type Shape, sameShape, showShape, type Tensor, WEIGHTS } from '../tensor/index.js';
import { copyOf } from './elementwise.js';
import { choose } from './matmul-choice.js';
import { type Activation, type Problem, pieces } from './matmul-problem.js';
import { type MatmulChoice, runPiece } from './matmul-variants.js';
import { checkDevice, checkDtype, checkShapeIs } from './support.js';

export type { Activation } from './matmul-problem.js';
export type { MatmulChoice } from './matmul-variants.js';

/** Options of {@link matmul}. */
export interface MatmulOptions {
  /** A is [..., K, M]. */
  readonly transposeA?: boolean;
  /** B is [..., N, K], as the weights of linear layers are. */
  readonly transposeB?: boolean;
  /** [N], added to every row. */
  readonly bias?: Tensor;
  /** Added after the activation; of the result's shape. */
  readonly residual?: Tensor;
  /** Applied before the residual is added. */
  readonly activation?: Activation;
  /** Factor of A B; 1 by default. */
  readonly scale?: number;
  /** Adds to this tensor in place instead of making a new one. */
  readonly into?: Tensor;
  /** Factor of what `into` held; 1 by default, 0 overwrites it. */
  readonly beta?: number;
  /**
   * 'f16' allows f32 operands to be rounded to 11 bits (sums stay f32) where matrix units make that faster: a relative L2 error
   * of at most 5e-4. 'f32', the default, keeps the accuracy of f32: on matrix units f32 operands are in two parts.
   */
  readonly precision?: 'f32' | 'f16';
  /** Accounting of a new result; `activations` by default. */
  readonly purpose?: Purpose;
  /** Forces a variant (tests and benchmarks). */
  readonly choice?: MatmulChoice;
}

/**
 * `a` is f32 [..., M, K], `b` f32, f16, bf16, nf4 or int4 [..., K, N]; leading dimensions are equal, or one operand has none and is
 * used for all. Returns f32 [..., M, N].
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const gpu = checkDevice('matmul', a, b);
  checkDtype('matmul', 'a', a, 'f32');
  checkDtype('matmul', 'b', b, ...WEIGHTS);
  const { transposeA = false, transposeB = false, scale = 1, into, activation = null } = options;
  check(!(transposeA && transposeB), 'value', () => {
    return 'matmul: transposing both operands is not supported; compute the product in the other order and transpose it';
  });
  const dims = dimensions(a, b, transposeA, transposeB);
  const y = into ?? empty(gpu, dims.shape, { purpose: options.purpose });
  if (into) {
    checkDtype('matmul', 'into', into, 'f32');
    checkShapeIs('matmul', 'into', into, dims.shape);
  }
  const bias = options.bias ?? null;
  if (bias) {
    checkDtype('matmul', 'bias', bias, 'f32');
    checkShapeIs('matmul', 'bias', bias, [dims.N]);
  }
  const residual = options.residual ?? null;
  if (residual) {
    checkDtype('matmul', 'residual', residual, 'f32');
    checkShapeIs('matmul', 'residual', residual, dims.shape);
  }
  const alignment = gpu.bindingAlignment;
  // Shaders find the residual where they find y, and the bias at the start of its binding.
  const ownBias = bias && bias.offset % alignment !== 0 ? copyOf(bias, 'scratch') : bias;
  const misplaced = residual && residual.offset % alignment !== y.offset % alignment;
  const ownResidual = misplaced ? copyOf(residual, 'scratch') : residual;
  const problem: Problem = {
    ...dims,
    gpu,
    a,
    b,
    y,
    bias: ownBias,
    residual: ownResidual,
    transposeA,
    transposeB,
    scale,
    beta: into ? (options.beta ?? 1) : 0,
    activation,
    precision: options.precision ?? 'f32',
  };
  for (const piece of pieces(problem)) runPiece(piece, options.choice ?? choose(piece));
  if (ownBias !== bias) ownBias?.dispose();
  if (ownResidual !== residual) ownResidual?.dispose();
  return y;
}

/**
 * The `precision` of the gradients of a factor and of what flows back through it. With weights in 16 bits or fewer they may be rounded
 * to 11 bits, which is a half or a third of the arithmetic on matrix units: gradients are noisy, and nobody compares them digit
 * by digit as the log-probabilities of forward passes are compared with the sampler's.
 */
export function gradientPrecision(factor: Tensor): 'f32' | 'f16' {
  return factor.dtype === 'f32' ? 'f32' : 'f16';
}

interface Dimensions {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly sharedA: boolean;
  readonly sharedB: boolean;
  readonly shape: Shape;
}

function dimensions(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Dimensions {
  const fail = (why: string) => () => {
    const form = `${transposeA ? '[..., K, M]' : '[..., M, K]'} and ${transposeB ? '[..., N, K]' : '[..., K, N]'}`;
    return `matmul: shapes ${showShape(a.shape)} and ${showShape(b.shape)} ${why}; expected ${form}`;
  };
  check(a.rank >= 2 && b.rank >= 2, 'shape', fail('are not matrices'));
  const [M, K] = transposeA ? [a.dim(-1), a.dim(-2)] : [a.dim(-2), a.dim(-1)];
  const [depth, N] = transposeB ? [b.dim(-1), b.dim(-2)] : [b.dim(-2), b.dim(-1)];
  check(K === depth, 'shape', fail(`do not fit (K is ${K} and ${depth})`));
  const leadA = a.shape.slice(0, -2);
  const leadB = b.shape.slice(0, -2);
  check(
    leadA.length === 0 || leadB.length === 0 || sameShape(leadA, leadB),
    'shape',
    fail('differ in batch'),
  );
  const lead = leadA.length > 0 ? leadA : leadB;
  const batch = numel(lead);
  const shape = [...lead, M, N];
  const sharedA = leadA.length === 0 && batch > 1;
  const sharedB = leadB.length === 0 && batch > 1;
  // One tall product instead of many that share B.
  if (sharedB && !transposeA) return { batch: 1, M: M * batch, N, K, sharedA: false, sharedB: false, shape };
  return { batch, M, N, K, sharedA, sharedB, shape };
}
