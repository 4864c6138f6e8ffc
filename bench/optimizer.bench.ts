/** AdamW and the global gradient norm: one large matrix, and the many small ones of a LoRA run. */
import { gradientNorm } from '#osler/kernels/gradient-norm.js';
import { adamw } from '#osler/kernels/optimizer.js';
import { type Tensor, zeros } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

function adamwCase(count: number, size: number, dtype: 'f32' | 'bf16'): BenchCase {
  return {
    name: `adamw ${dtype}`,
    shape: `${count} x [${size}]`,
    flops: count * size * 14,
    bytes: count * size * (dtype === 'f32' ? 28 : 30),
    setup(gpu) {
      const list = Array.from({ length: count }, () => {
        const f32 = () => zeros(gpu, [size], { purpose: 'optimizer' });
        const common = { grad: f32(), m: f32(), v: f32() };
        if (dtype === 'f32') return { param: f32(), ...common };
        return { param: zeros(gpu, [size], { dtype }), master: f32(), ...common };
      });
      return {
        run: () => adamw(list, { lr: 1e-3, step: 1 }),
        dispose: () => {
          for (const item of list) disposeAll(...(Object.values(item) as Tensor[]));
        },
      };
    },
  };
}

function normCase(count: number, size: number): BenchCase {
  return {
    name: 'gradient norm',
    shape: `${count} x [${size}]`,
    flops: count * size * 2,
    bytes: count * size * 4,
    setup(gpu) {
      const list = Array.from({ length: count }, () => zeros(gpu, [size]));
      return {
        run: () => gradientNorm(list).dispose(),
        dispose: () => disposeAll(...list),
      };
    },
  };
}

const cases: BenchCase[] = [
  adamwCase(1, 1 << 22, 'f32'),
  adamwCase(1, 1 << 22, 'bf16'),
  adamwCase(392, 24_576, 'f32'),
  adamwCase(392, 64, 'f32'),
  normCase(1, 1 << 22),
  normCase(392, 24_576),
];

export default cases;
