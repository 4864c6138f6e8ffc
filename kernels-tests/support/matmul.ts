/** Matrix products in float64, on what the GPU sees: operands already rounded to their storage dtype. */
import type { Gpu } from '../../src/gpu/index.js';
import { attachTuner, type Choice, type Task, Tuner } from '../../src/kernels/tuner.js';
import { type DType, decode, encode } from '../../src/tensor/index.js';

/** A product to compute; matrices are row-major, transposed operands as the kernels take them. */
export interface Product {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly batch?: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** One B for the whole batch. */
  readonly sharedB?: boolean;
  readonly sharedA?: boolean;
}

/** A B for each member of the batch. */
export function product(a: ArrayLike<number>, b: ArrayLike<number>, p: Product): Float64Array {
  const { M, N, K, batch = 1 } = p;
  const y = new Float64Array(batch * M * N);
  for (let z = 0; z < batch; z++) {
    const fromA = p.sharedA ? 0 : z * M * K;
    const fromB = p.sharedB ? 0 : z * K * N;
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) {
          sum +=
            a[fromA + (p.transposeA ? k * M + m : m * K + k)] *
            b[fromB + (p.transposeB ? n * K + k : k * N + n)];
        }
        y[(z * M + m) * N + n] = sum;
      }
    }
  }
  return y;
}

/** The numbers that a storage dtype holds after rounding. */
export function rounded(values: Float32Array, dtype: DType): Float32Array {
  return decode(encode(values, dtype), dtype, values.length);
}

/** Activations in float64. */
export const activations = {
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  'gelu-tanh': (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  'quick-gelu': (x: number) => x / (1 + Math.exp(-1.702 * x)),
  silu: (x: number) => x / (1 + Math.exp(-x)),
  relu: (x: number) => Math.max(x, 0),
};

/** The error function by its Taylor series, exact to float64 rounding for |x| < 6. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Has all products computed on matrix units. */
class MatrixTuner extends Tuner {
  override choose<C extends Choice>(key: string, describe: (gpu: Gpu) => Task<C>): C {
    if (!key.startsWith('matmul/')) return super.choose(key, describe);
    return { variant: 'matrix', tile: 32 } as unknown as C;
  }
}

/** Runs with all products on matrix units, which no rule of thumb chooses on an adapter that emulates them. */
export async function onMatrixUnits<T>(gpu: Gpu, run: () => Promise<T>): Promise<T> {
  attachTuner(gpu, new MatrixTuner(gpu));
  try {
    return await run();
  } finally {
    attachTuner(gpu, new Tuner(gpu));
  }
}
