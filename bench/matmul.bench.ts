/** Products in the three layouts, matrix-vector products as in a decode step, and training shapes. */
import { type Gpu, Rehearsal } from '#osler/gpu/index.js';
import { type MatmulOptions, matmul } from '#osler/kernels/matmul.js';
import { bytesOf, type DType, empty, encode, fromHost } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

type Layout = 'NN' | 'NT' | 'TN';

interface Extra extends Pick<BenchCase, 'roof' | 'available'> {
  readonly dtype?: DType;
  readonly options?: MatmulOptions;
}

function product(name: string, layout: Layout, [M, N, K]: readonly number[], extra: Extra = {}): BenchCase {
  const { dtype = 'f32', options, ...rest } = extra;
  const [transposeA, transposeB] = [layout === 'TN', layout === 'NT'];
  return {
    name: `${name} ${layout}`,
    shape: `${M}x${N}x${K}${dtype === 'f32' ? '' : ` ${dtype}`}`,
    flops: 2 * M * N * K,
    bytes: 4 * M * K + 4 * M * N + bytesOf(dtype, N * K),
    ...rest,
    setup(gpu) {
      const noise = (shape: readonly [number, number], as: DType) => {
        // Where nothing is computed nobody reads it, and large ones take seconds to make.
        if (gpu instanceof Rehearsal) return empty(gpu, shape, { dtype: as });
        const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 1.7));
        return fromHost(gpu, encode(values, as), shape, as);
      };
      const a = noise(transposeA ? [K, M] : [M, K], 'f32');
      const b = noise(transposeB ? [N, K] : [K, N], dtype);
      return {
        run: () => matmul(a, b, { transposeA, transposeB, ...options }).dispose(),
        dispose: () => disposeAll(a, b),
      };
    },
  };
}

/** Sizes at which a software adapter would need seconds. */
const hardware = { available: (gpu: Gpu) => !gpu.info.software };
const units = {
  available: (gpu: Gpu) => gpu.has.subgroupMatrix && !gpu.info.software,
  roof: 'matrix',
} as const;

const cases: BenchCase[] = [
  product('square', 'NN', [256, 256, 256]),
  product('square', 'NN', [512, 512, 512]),
  product('square', 'NN', [1024, 1024, 1024]),
  product('square', 'NT', [1024, 1024, 1024]),
  product('square', 'TN', [1024, 1024, 1024]),
  product('square', 'NT', [1024, 1024, 1024], { dtype: 'bf16' }),
  product('square', 'NN', [4096, 4096, 4096], hardware),
  product('square', 'NT', [4096, 4096, 4096], { ...units, dtype: 'f16' }),
  product('square', 'NT', [4096, 4096, 4096], { ...units, dtype: 'bf16' }),
  product('square', 'NN', [4096, 4096, 4096], { ...units, dtype: 'f16' }),
  product('square rounded', 'TN', [4096, 4096, 4096], { ...units, options: { precision: 'f16' } }),
  product('matvec', 'NN', [1, 4096, 1024]),
  product('matvec', 'NT', [1, 4096, 1024]),
  product('matvec', 'NT', [1, 4096, 1024], { dtype: 'bf16' }),
  // Weights in 4 bits beside those in 16: steps of decoding, prompts, and what flows back through them.
  product('matvec', 'NT', [1, 8960, 1536], { dtype: 'bf16' }),
  product('matvec', 'NT', [1, 8960, 1536], { dtype: 'nf4' }),
  product('decode', 'NT', [8, 8960, 1536], { dtype: 'bf16' }),
  product('decode', 'NT', [8, 8960, 1536], { dtype: 'nf4' }),
  product('decode', 'NT', [8, 8960, 1536], { dtype: 'int4' }),
  product('short prefill', 'NT', [64, 8960, 1536], { dtype: 'bf16' }),
  product('short prefill', 'NT', [64, 8960, 1536], { dtype: 'nf4' }),
  product('prefill', 'NT', [512, 8960, 1536], { dtype: 'bf16' }),
  product('prefill', 'NT', [512, 8960, 1536], { dtype: 'nf4' }),
  product('input gradient', 'NN', [512, 1536, 8960], { dtype: 'bf16' }),
  product('input gradient', 'NN', [512, 1536, 8960], { dtype: 'nf4' }),
  product('decode', 'NT', [4, 4096, 1024], { dtype: 'bf16' }),
  product('decode', 'NT', [16, 4096, 1024], { dtype: 'bf16' }),
  product('decode', 'NT', [16, 8960, 1536], { ...hardware, dtype: 'bf16' }),
  product('prefill', 'NT', [2048, 8960, 1536], { ...units, dtype: 'bf16' }),
  product('layer', 'NT', [1024, 512, 128]),
  product('layer gradient', 'NN', [1024, 128, 512]),
  product('weight gradient', 'TN', [512, 128, 1024]),
  product('weight gradient', 'TN', [8960, 1536, 2048], hardware),
];

export default cases;
