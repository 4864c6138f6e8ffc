import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { type MatmulChoice, type MatmulOptions, matmul } from '../src/kernels/matmul.js';
import { type DType, encode, fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';
import { activations, type Product, product, rounded } from './support/matmul.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

interface Case extends Product {
  readonly dtype?: DType;
}

/** Leaves NaN in the pool where the next tensors of this size will be. */
function poison(device: Gpu, size: number): void {
  tensor(device, new Float32Array(size).fill(Number.NaN)).dispose();
}

function inputs(device: Gpu, c: Case): { a: Tensor; b: Tensor; expected: Float64Array } {
  const { M, N, K, batch = 1, dtype = 'f32' } = c;
  const lead = (shared?: boolean) => (batch > 1 && !shared ? [batch] : []);
  const a = random((c.sharedA ? 1 : batch) * M * K, 1);
  const b = random((c.sharedB ? 1 : batch) * K * N, 2);
  const expected = product(a, rounded(b, dtype), c);
  return {
    a: tensor(device, a, [...lead(c.sharedA), ...(c.transposeA ? [K, M] : [M, K])]),
    b: fromHost(device, encode(b, dtype), [...lead(c.sharedB), ...(c.transposeB ? [N, K] : [K, N])], dtype),
    expected,
  };
}

async function expectProduct(
  device: Gpu,
  c: Case,
  options: MatmulOptions = {},
  tolerance = 1e-5,
): Promise<void> {
  const { a, b, expected } = inputs(device, c);
  poison(device, (c.batch ?? 1) * c.M * c.N);
  const y = matmul(a, b, { transposeA: c.transposeA, transposeB: c.transposeB, ...options });
  await expectClose(y, expected, tolerance);
  for (const t of [a, b, y]) t.dispose();
}

const LAYOUTS = [
  ['NN', {}],
  ['NT', { transposeB: true }],
  ['TN', { transposeA: true }],
] as const;
const CHOICES: readonly MatmulChoice[] = [
  { variant: 'tile', tile: 32 },
  { variant: 'tile', tile: 64 },
  { variant: 'tile', tile: 128 },
  { variant: 'wide', packed: false },
  { variant: 'wide', packed: true },
];

test.each(['base', 'subgroups'] as const)('gemv, tier %s', async (tier) => {
  const device = await testGpu(tier);
  const choice: MatmulChoice = { variant: 'gemv' };
  for (const layout of [{}, { transposeB: true }]) {
    for (const dtype of ['f32', 'f16', 'bf16'] as const) {
      for (const [M, N, K] of [[1, 9, 35], [3, 64, 600], [16, 20, 8]]) {
        await expectProduct(device, { M, N, K, dtype, ...layout }, { choice });
      }
      await expectProduct(device, { M: 1, N: 20, K: 1000, dtype, ...layout }, { choice: { ...choice, splits: 3 } });
    }
  }
});

describe.each(CHOICES)('%j', (choice) => {
  test.each(LAYOUTS)('%s, any size', async (_, layout) => {
    for (const [M, N, K] of [
      [1, 1, 1],
      [33, 17, 41],
      [64, 48, 300],
      [7, 130, 5],
    ]) {
      await expectProduct(gpu, { M, N, K, ...layout }, { choice });
    }
  });
  test.each(['f16', 'bf16'] as const)('B in %s', async (dtype) => {
    for (const [, layout] of LAYOUTS) {
      await expectProduct(gpu, { M: 20, N: 35, K: 37, dtype, ...layout }, { choice });
      await expectProduct(gpu, { M: 20, N: 36, K: 40, dtype, ...layout }, { choice });
    }
  });
  test('split K', async () => {
    for (const [, layout] of LAYOUTS)
      await expectProduct(gpu, { M: 20, N: 35, K: 150, ...layout }, { choice: { ...choice, splits: 4 } });
  });
});
