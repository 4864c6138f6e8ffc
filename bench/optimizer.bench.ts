/** AdamW and the global gradient norm: one large matrix, and the many small ones of a LoRA run. */
import type { Gpu } from '../src/gpu/index.js';
import { gradientNorm } from '../src/kernels/gradient-norm.js';
import { adamw } from '../src/kernels/optimizer.js';
import { type Tensor, zeros } from '../src/tensor/index.js';

function adamwCase(count: number, size: number, dtype: 'f32' | 'bf16') {
  return {
    name: `adamw ${dtype}`,
    shape: `${count} x [${size}]`,
    flops: count * size * 14,
    bytes: count * size * (dtype === 'f32' ? 28 : 30),
    setup(gpu: Gpu) {
      const list = Array.from({ length: count }, () => {
        const f32 = () => zeros(gpu, [size], { purpose: 'optimizer' });
        const common = { grad: f32(), m: f32(), v: f32() };
        if (dtype === 'f32') return { param: f32(), ...common };
        return { param: zeros(gpu, [size], { dtype }), master: f32(), ...common };
      });
      return {
        run: () => adamw(list, { lr: 1e-3, step: 1 }),
        dispose: () => {
          for (const item of list) for (const t of Object.values(item) as Tensor[]) t.dispose();
        },
      };
    },
  };
}

function normCase(count: number, size: number) {
  return {
    name: 'gradient norm',
    shape: `${count} x [${size}]`,
    flops: count * size * 2,
    bytes: count * size * 4,
    setup(gpu: Gpu) {
      const list = Array.from({ length: count }, () => zeros(gpu, [size]));
      return {
        run: () => gradientNorm(list).dispose(),
        dispose: () => {
          for (const t of list) t.dispose();
        },
      };
    },
  };
}

export default [
  adamwCase(1, 1 << 22, 'f32'),
  adamwCase(1, 1 << 22, 'bf16'),
  adamwCase(392, 24_576, 'f32'),
  adamwCase(392, 64, 'f32'),
  normCase(1, 1 << 22),
  normCase(392, 24_576),
];
