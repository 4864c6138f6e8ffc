/** AdamW and the global gradient norm: one large matrix, also with moments in 8 bits, and the many small ones of a LoRA run. */
import { gradientNorm } from '#osler/kernels/gradient-norm.js';
import { momentTables, zeroMoments } from '#osler/kernels/moments.js';
import { adamw } from '#osler/kernels/optimizer.js';
import { adamw8bit } from '#osler/kernels/optimizer-8bit.js';
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

/** Bytes: gradients in f32, both moments read and written, and the master or the weight. */
function adamw8bitCase(size: number, kind: 'f32' | 'bf16' | 'bf16 alone'): BenchCase {
  return {
    name: `adamw 8 bit ${kind}`,
    shape: `[${size}]`,
    flops: size * 14,
    bytes: size * ({ f32: 12, bf16: 14, 'bf16 alone': 8 }[kind] + 4),
    setup(gpu) {
      const f32 = () => zeros(gpu, [size], { purpose: 'optimizer' });
      const weight =
        kind === 'f32'
          ? { param: f32() }
          : { param: zeros(gpu, [size], { dtype: 'bf16' }), ...(kind === 'bf16' ? { master: f32() } : {}) };
      const tensors = { ...weight, grad: f32(), moments: zeroMoments(gpu, size) };
      const tables = momentTables(gpu);
      const rounding = { seed: 0, stream: 0, step: 1 };
      return {
        run: () => adamw8bit(tensors, { lr: 1e-3, step: 1, tables, rounding }),
        dispose: () => disposeAll(...(Object.values(tensors) as Tensor[]), tables),
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
  adamw8bitCase(1 << 22, 'f32'),
  adamw8bitCase(1 << 22, 'bf16'),
  adamw8bitCase(1 << 22, 'bf16 alone'),
  normCase(1, 1 << 22),
  normCase(392, 24_576),
];

export default cases;
