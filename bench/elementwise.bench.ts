import { affine, binary, cast, full } from '#osler/kernels/elementwise.js';
import { type BenchCase, disposeAll } from './case.js';

const SIZE = 1 << 22;

const cases: BenchCase[] = [
  {
    name: 'add',
    shape: `${SIZE}`,
    flops: SIZE,
    bytes: 12 * SIZE,
    setup(gpu) {
      const a = full(gpu, [SIZE], 1);
      const b = full(gpu, [SIZE], 2);
      return { run: () => void binary('add', a, b), dispose: () => disposeAll(a, b) };
    },
  },
  {
    name: 'add bias',
    shape: `${SIZE / 1024}x1024 + 1024`,
    flops: SIZE,
    bytes: 8 * SIZE,
    setup(gpu) {
      const a = full(gpu, [SIZE / 1024, 1024], 1);
      const b = full(gpu, [1024], 2);
      return { run: () => void binary('add', a, b), dispose: () => disposeAll(a, b) };
    },
  },
  {
    name: 'scale',
    shape: `${SIZE}`,
    flops: 2 * SIZE,
    bytes: 8 * SIZE,
    setup(gpu) {
      const a = full(gpu, [SIZE], 1);
      return { run: () => void affine(a, 2, 1), dispose: () => a.dispose() };
    },
  },
  {
    name: 'cast f32 to bf16',
    shape: `${SIZE}`,
    flops: SIZE,
    bytes: 6 * SIZE,
    setup(gpu) {
      const a = full(gpu, [SIZE], 1);
      return { run: () => void cast(a, 'bf16'), dispose: () => a.dispose() };
    },
  },
];

export default cases;
