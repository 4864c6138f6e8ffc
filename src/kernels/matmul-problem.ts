/** Describing a matrix product, and cutting it into pieces that can be bound and do not take too long. */
import { type Bindable, check, type Gpu } from '../gpu/index.js';
import type { Tensor, WeightFormat } from '../tensor/index.js';
import { bindStoredFrom, elementsWithin } from './stored.js';

/** Activations that a product can apply to its result. */
export type Activation = 'gelu' | 'gelu-tanh' | 'quick-gelu' | 'silu' | 'relu';

/** A batch of products over whole tensors; strides of 0 repeat an operand. */
export interface Problem {
  readonly gpu: Gpu;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly y: Tensor;
  readonly bias: Tensor | null;
  readonly residual: Tensor | null;
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly sharedA: boolean;
  readonly sharedB: boolean;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly scale: number;
  readonly beta: number;
  readonly activation: Activation | null;
  /** Whether f32 operands may be rounded to f16 for matrix units. */
  readonly precision: 'f32' | 'f16';
}

/** A matrix (or batch of matrices) within its bindings, in elements. */
export interface Operand {
  readonly bindings: Readonly<Record<string, Bindable>>;
  readonly base: number;
  readonly ld: number;
  readonly stride: number;
}

/** A product that one launch can do. */
export interface Piece extends Omit<Problem, 'a' | 'b' | 'y' | 'residual' | 'sharedA' | 'sharedB'> {
  readonly a: Operand;
  readonly b: Operand;
  readonly y: Operand;
  readonly residual: Operand | null;
  readonly dtypeB: WeightFormat;
  /** First column within y and bias. */
  readonly column: number;
}

/** Windows of at most `size` over `count` items. */
function* steps(count: number, size: number): Generator<readonly [first: number, count: number]> {
  // Whole multiples of 16 keep later windows as well aligned as the first.
  const step = size >= count ? count : size >= 16 ? size - (size % 16) : size;
  for (let first = 0; first < count; first += step) yield [first, Math.min(step, count - first)];
}

/** How large the windows over each dimension may be. */
interface Windows {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/**
 * A launch is not interrupted: whatever else the GPU has to do, such as drawing the screen, waits for it. So much arithmetic
 * takes half a second where kernels reach half of one TFLOP/s.
 */
const MOST_FLOPS = 2.5e11;
/** Rows of the largest tile of any variant. */
const TILE_ROWS = 128;

/** Windows that can be bound, and do not take too long. */
function windowsOf(p: Problem): Windows {
  const bound = bindableWindows(p);
  const flops = 2 * bound.M * bound.N * bound.K;
  if (flops * bound.batch <= MOST_FLOPS) return bound;
  if (flops <= MOST_FLOPS) return { ...bound, batch: Math.floor(MOST_FLOPS / flops) };
  const rows = Math.ceil(bound.M / Math.ceil(flops / MOST_FLOPS) / TILE_ROWS) * TILE_ROWS;
  return { ...bound, batch: 1, M: Math.min(rows, bound.M) };
}

function bindableWindows(p: Problem): Windows {
  const alignment = p.gpu.bindingAlignment;
  const fits = (tensor: Tensor, elementsPerItem: number) =>
    Math.floor(elementsWithin(tensor.dtype, p.gpu.maxBindingBytes - alignment) / elementsPerItem);
  const whole = { M: p.M, N: p.N, K: p.K };
  const items = Math.min(
    fits(p.y, p.M * p.N),
    p.sharedA && fits(p.a, p.M * p.K) > 0 ? p.batch : fits(p.a, p.M * p.K),
    p.sharedB && fits(p.b, p.K * p.N) > 0 ? p.batch : fits(p.b, p.K * p.N),
    p.gpu.limits.maxComputeWorkgroupsPerDimension,
  );
  if (items >= 1) return { ...whole, batch: Math.min(items, p.batch) };
  const M = Math.min(p.M, fits(p.y, p.N), p.transposeA ? p.M : fits(p.a, p.K));
  const N = Math.min(p.N, p.transposeB ? fits(p.b, p.K) : p.N);
  const K = Math.min(p.K, p.transposeA ? fits(p.a, p.M) : p.K, p.transposeB ? p.K : fits(p.b, p.N));
  check(Math.min(M, N, K) > 0, 'limit', () => {
    return `matmul: one row of ${p.a.describe()}, ${p.b.describe()} or ${p.y.describe()} is larger than this adapter's binding limit of ${p.gpu.maxBindingBytes} bytes`;
  });
  return { batch: 1, M, N, K };
}

/**
 * Cuts a product so that each operand of a piece fits one binding, and no piece is a long launch. Cuts along K accumulate in y: only the first piece
 * sees `beta`, only the last one bias, activation and residual.
 */
export function* pieces(p: Problem): Generator<Piece> {
  const size = windowsOf(p);
  for (const [z, batch] of steps(p.batch, size.batch)) {
    for (const [n, N] of steps(p.N, size.N)) {
      for (const [m, M] of steps(p.M, size.M)) {
        for (const [k, K] of steps(p.K, size.K)) yield piece(p, { z, batch, m, M, n, N, k, K });
      }
    }
  }
}

interface Window extends Windows {
  readonly z: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function piece(p: Problem, w: Window): Piece {
  const last = w.k + w.K === p.K;
  // Whole rows are bound even where only some of their columns are used.
  const matrix = (
    name: string,
    tensor: Tensor,
    rows: number,
    ld: number,
    row: number,
    count: number,
    shared = false,
  ): Operand => {
    const stride = shared ? 0 : rows * ld;
    const length = shared || w.batch === 1 ? count * ld : w.batch * stride;
    return { ...bindStoredFrom(name, tensor, w.z * stride + row * ld, length), ld, stride };
  };
  const shifted = (o: Operand, by: number): Operand => ({ ...o, base: o.base + by });
  const output = (name: string, tensor: Tensor) => shifted(matrix(name, tensor, p.M, p.N, w.m, w.M), w.n);
  return {
    gpu: p.gpu,
    a: p.transposeA
      ? shifted(matrix('a', p.a, p.K, p.M, w.k, w.K, p.sharedA), w.m)
      : shifted(matrix('a', p.a, p.M, p.K, w.m, w.M, p.sharedA), w.k),
    b: p.transposeB
      ? shifted(matrix('b', p.b, p.N, p.K, w.n, w.N, p.sharedB), w.k)
      : shifted(matrix('b', p.b, p.K, p.N, w.k, w.K, p.sharedB), w.n),
    y: output('y', p.y),
    residual: last && p.residual ? output('residual', p.residual) : null,
    bias: last ? p.bias : null,
    activation: last ? p.activation : null,
    dtypeB: p.b.dtype as Piece['dtypeB'],
    batch: w.batch,
    M: w.M,
    N: w.N,
    K: w.K,
    transposeA: p.transposeA,
    transposeB: p.transposeB,
    column: w.n,
    scale: p.scale,
    beta: w.k > 0 ? 1 : p.beta,
    precision: p.precision,
  };
}
