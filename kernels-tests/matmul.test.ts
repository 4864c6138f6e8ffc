import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Gpu, Rehearsal } from '../src/gpu/index.js';
import { type MatmulChoice, type MatmulOptions, matmul } from '../src/kernels/matmul.js';
import { tileSupported } from '../src/kernels/matmul-variants.js';
import { type DType, empty, encode, fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { testGpu, testTiers } from './support/gpu.js';
import { activations, type Product, product, rounded } from './support/matmul.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

interface Case extends Product {
  readonly dtype?: DType;
}

/** Leaves NaN in the pool where the next tensor of this size will be. */
function poison(device: Gpu, size: number): void {
  tensor(device, new Float32Array(size).fill(Number.NaN)).dispose();
}

function inputs(
  device: Gpu,
  c: Case,
): { a: Tensor; b: Tensor; valuesA: Float32Array; valuesB: Float32Array } {
  const { M, N, K, batch = 1, dtype = 'f32' } = c;
  const lead = (shared?: boolean) => (batch > 1 && !shared ? [batch] : []);
  const valuesA = random((c.sharedA ? 1 : batch) * M * K, 1);
  const valuesB = random((c.sharedB ? 1 : batch) * K * N, 2);
  return {
    a: tensor(device, valuesA, [...lead(c.sharedA), ...(c.transposeA ? [K, M] : [M, K])]),
    b: fromHost(
      device,
      encode(valuesB, dtype),
      [...lead(c.sharedB), ...(c.transposeB ? [N, K] : [K, N])],
      dtype,
    ),
    valuesA,
    valuesB: rounded(valuesB, dtype),
  };
}

async function expectProduct(
  device: Gpu,
  c: Case,
  options: MatmulOptions = {},
  tolerance = 1e-5,
  operandDtype: DType = 'f32',
): Promise<void> {
  const { a, b, valuesA, valuesB } = inputs(device, c);
  poison(device, (c.batch ?? 1) * c.M * c.N);
  const y = matmul(a, b, { transposeA: c.transposeA, transposeB: c.transposeB, ...options });
  const expected = product(rounded(valuesA, operandDtype), rounded(valuesB, operandDtype), c);
  await expectClose(y, expected, tolerance);
  for (const t of [a, b, y]) t.dispose();
}

const LAYOUTS = [
  ['NN', {}],
  ['NT', { transposeB: true }],
  ['TN', { transposeA: true }],
] as const;
const SIZES = [
  [1, 1, 1],
  [33, 17, 41],
  [40, 48, 528],
  [7, 130, 5],
] as const;
const CHOICES: readonly MatmulChoice[] = [
  { variant: 'tile', tile: 64 },
  { variant: 'wide', packed: false },
  { variant: 'wide', packed: true },
];

describe.each(CHOICES)('%j', (choice) => {
  test.each(LAYOUTS)('%s, any size', async (_, layout) => {
    for (const [M, N, K] of SIZES) await expectProduct(gpu, { M, N, K, ...layout }, { choice });
  });

  test('B in f16 and bf16, rows aligned or not', async () => {
    for (const [dtype, layout] of [
      ['f16', {}],
      ['bf16', { transposeB: true }],
    ] as const) {
      await expectProduct(gpu, { M: 20, N: 35, K: 37, dtype, ...layout }, { choice });
      await expectProduct(gpu, { M: 20, N: 36, K: 40, dtype, ...layout }, { choice });
    }
  });

  test('B in nf4, rows aligned or not', async () => {
    for (const [, layout] of LAYOUTS) {
      for (const [N, K] of [
        [64, 37],
        [37, 64],
        [48, 36],
        [40, 48],
        [96, 136],
      ]) {
        await expectProduct(gpu, { M: 20, N, K, dtype: 'nf4', ...layout }, { choice });
      }
      const split = { choice: { ...choice, splits: 4 } };
      await expectProduct(gpu, { M: 20, N: 64, K: 150, dtype: 'nf4', ...layout }, split);
    }
  });

  test('B in int4', async () => {
    for (const layout of [{}, { transposeB: true }]) {
      await expectProduct(gpu, { M: 20, N: 64, K: 36, dtype: 'int4', ...layout }, { choice });
      await expectProduct(gpu, { M: 20, N: 40, K: 48, dtype: 'int4', ...layout }, { choice });
    }
  });

  test('split K', async () => {
    const split = { choice: { ...choice, splits: 4 } };
    for (const [, layout] of LAYOUTS) await expectProduct(gpu, { M: 20, N: 35, K: 150, ...layout }, split);
  });
});

test('B in nf4 as GPUs decode it, by a table', async () => {
  const { software } = gpu.info;
  Object.assign(gpu.info, { software: false });
  try {
    const c = { N: 64, K: 72, dtype: 'nf4' } as const;
    await expectProduct(gpu, { ...c, M: 20 }, { choice: { variant: 'tile', tile: 64 } });
    await expectProduct(gpu, { ...c, M: 3, K: 35 }, { choice: { variant: 'gemv' } });
    await expectProduct(gpu, { ...c, M: 3, transposeB: true }, { choice: { variant: 'gemv' } });
  } finally {
    Object.assign(gpu.info, { software });
  }
});

test('tiles of 32 and 128', async () => {
  for (const tile of [32, 128] as const) {
    if (!tileSupported(gpu, tile)) continue;
    await expectProduct(gpu, { M: 150, N: 133, K: 40 }, { choice: { variant: 'tile', tile } });
  }
});

test.for(['base', 'subgroups'] as const)('gemv, tier %s', async (tier, { skip }) => {
  skip(!(await testTiers()).includes(tier), `the adapter has no ${tier}`);
  const device = await testGpu(tier);
  const choice: MatmulChoice = { variant: 'gemv', single: tier === 'subgroups' };
  for (const [dtype, transposeB] of [
    ['f32', false],
    ['f32', true],
    ['f16', true],
    ['bf16', false],
    ['bf16', true],
    ['nf4', false],
    ['nf4', true],
    ['int4', false],
    ['int4', true],
  ] as const) {
    const blocks = dtype === 'nf4' || dtype === 'int4';
    for (const [M, N, K] of [blocks ? [1, 64, 35] : [1, 9, 35], [3, 64, 600]]) {
      await expectProduct(device, { M, N, K, dtype, transposeB }, { choice });
    }
  }
  for (const M of [16, 11]) {
    await expectProduct(device, { M, N: 19, K: 8, transposeB: true }, { choice: { variant: 'gemv' } });
  }
  await expectProduct(device, { M: 1, N: 20, K: 1000 }, { choice: { ...choice, splits: 3 } });
});

/** What the result may be off by, relative to float64: with all parts below f32, else what f16 rounds off. */
const OFF = { f32: 1e-6, f16: 5e-4 };

test.for([
  ['NN', 'f16', 'f16', {}],
  ['NN', 'bf16', 'f32', {}],
  ['NN', 'f32', 'f32', {}],
  ['NT', 'f16', 'f32', { transposeB: true }],
  ['NT', 'bf16', 'f32', { transposeB: true }],
  ['NT', 'f32', 'f32', { transposeB: true }],
  ['NN', 'nf4', 'f16', {}],
  ['NT', 'nf4', 'f32', { transposeB: true }],
  ['NN', 'int4', 'f32', {}],
  ['NT', 'int4', 'f16', { transposeB: true }],
  ['TN', 'f32', 'f32', { transposeA: true }],
  ['TN', 'f32', 'f16', { transposeA: true }],
] as const)('matrix units, %s, B in %s, precision %s', async ([_, dtype, precision, layout], { skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const choice: MatmulChoice = { variant: 'matrix', tile: 32 };
  // Blocks are whole.
  const blocks = dtype === 'nf4' || dtype === 'int4';
  for (const [M, N, K] of [
    [32, 64, 64],
    [33, 37, blocks ? 64 : 41],
    [7, blocks ? 128 : 130, 5],
  ]) {
    await expectProduct(device, { M, N, K, dtype, ...layout }, { choice, precision }, OFF[precision]);
  }
  const split = { choice: { ...choice, splits: 3 }, precision };
  await expectProduct(
    device,
    { M: 33, N: blocks ? 64 : 36, K: 150, dtype, ...layout },
    split,
    OFF[precision],
  );
  await expectProduct(
    device,
    { M: 33, N: 36, K: 64, batch: 2, dtype, ...layout },
    { choice, precision },
    OFF[precision],
  );
});

test('matrix units keep the accuracy of f32 over long sums, and lose eleven bits where they may', async ({
  skip,
}) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const choice: MatmulChoice = { variant: 'matrix', tile: 32 };
  for (const dtype of ['f32', 'bf16'] as const) {
    const c = { M: 32, N: 32, K: 3072, dtype, transposeB: true };
    await expectProduct(device, c, { choice }, 1e-6);
    await expectProduct(device, c, { choice, precision: 'f16' }, 5e-4);
    await expect(expectProduct(device, c, { choice, precision: 'f16' }, 5e-5)).rejects.toThrow();
  }
});

test('one operand for all products of a batch on matrix units', async ({ skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const options: MatmulOptions = { choice: { variant: 'matrix', tile: 32 } };
  for (const shared of [{ sharedA: true }, { sharedB: true, transposeA: true }]) {
    await expectProduct(device, { M: 33, N: 34, K: 40, batch: 3, ...shared }, options, 1e-6);
  }
});

test('matrix units with epilogues, in pieces', async ({ skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix', { maxBindingBytes: 65536 });
  // K is padded to 128, so that prepared rows are longer than those that fit one binding.
  const c = { M: 150, N: 160, K: 97, transposeB: true };
  const { a, b, valuesA, valuesB } = inputs(device, c);
  const [bias, before] = [random(c.N, 3), random(c.M * c.N, 4)];
  const y = matmul(a, b, {
    transposeB: true,
    bias: tensor(device, bias),
    residual: tensor(device, before, [c.M, c.N]),
    activation: 'silu',
    scale: 0.5,
    choice: { variant: 'matrix', tile: 32 },
  });
  const expected = product(valuesA, valuesB, c);
  await expectClose(
    y,
    expected.map((v, i) => activations.silu(0.5 * v + bias[i % c.N]) + before[i]),
    1e-6,
  );
  const into = tensor(device, before, [c.M, c.N]);
  matmul(a, b, { transposeB: true, into, beta: 0.5, choice: { variant: 'matrix', tile: 32 } });
  await expectClose(
    into,
    expected.map((v, i) => v + 0.5 * before[i]),
    1e-6,
  );
});

test('on matrix units NaN stays in its row, and infinities are the ends of what its scale holds', async ({
  skip,
}) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const [M, N, K] = [3, 4, 32];
  for (const transposeB of [false, true]) {
    for (const dtype of ['f32', 'bf16'] as const) {
      const values = new Float32Array(M * K).fill(1);
      values[5] = Number.NaN;
      values[K + 7] = Number.NEGATIVE_INFINITY;
      const ones = new Float32Array(K * N).fill(1);
      const b = fromHost(device, encode(ones, dtype), transposeB ? [N, K] : [K, N], dtype);
      const a = tensor(device, values, [M, K]);
      const y = await matmul(a, b, { transposeB, choice: { variant: 'matrix', tile: 32 } }).data();
      for (let n = 0; n < N; n++) {
        expect(y[n]).toBeNaN();
        // Ones are 2^14, and the end is -65504.
        expect(y[N + n]).toBeCloseTo(K - 1 - 65504 / 2 ** 14, 5);
        expect(y[2 * N + n]).toBe(K);
      }
    }
  }
});

test.for(['f16', 'bf16'] as const)('few rows on matrix units, weights in %s', async (dtype, { skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const choice: MatmulChoice = { variant: 'short' };
  // Few enough for one fragment: what processors take for compiling grows with them.
  for (const [M, N, K] of [
    [5, 19, 40],
    [7, 7, 3000],
    [8, 24, 512],
  ]) {
    await expectProduct(device, { M, N, K, dtype, transposeB: true }, { choice }, 1e-6);
  }
  const c = { M: 8, N: 20, K: 264, dtype, transposeB: true };
  if (dtype === 'f16') await expectProduct(device, c, { choice, precision: 'f16' }, 5e-4);
  const { a, b, valuesA, valuesB } = inputs(device, c);
  const [bias, residual] = [random(c.N, 3), random(c.M * c.N, 4)];
  const y = matmul(a, b, {
    transposeB: true,
    bias: tensor(device, bias),
    residual: tensor(device, residual, [c.M, c.N]),
    activation: 'silu',
    choice,
  });
  const expected = product(valuesA, valuesB, c).map(
    (v, i) => activations.silu(v + bias[i % c.N]) + residual[i],
  );
  await expectClose(y, expected, 1e-6);
});

test('few rows on matrix units, of sizes that grow and shrink along K, with NaN and infinities', async ({
  skip,
}) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const c: Case = { M: 9, N: 9, K: 1000, dtype: 'bf16', transposeB: true };
  const { b, valuesA, valuesB } = inputs(device, c);
  for (const size of [1e-18, 1e18]) {
    for (const slope of [-1, 0, 1]) {
      const values = valuesA.map((x, i) => x * size * 10 ** ((slope * 8 * (i % c.K)) / c.K));
      const y = matmul(tensor(device, values, [c.M, c.K]), b, {
        transposeB: true,
        choice: { variant: 'short' },
      });
      await expectClose(y, product(values, valuesB, c), 1e-6);
    }
  }
  valuesA[5] = Number.NaN;
  valuesA[2 * c.K - 3] = Number.POSITIVE_INFINITY;
  const y = await matmul(tensor(device, valuesA, [c.M, c.K]), b, {
    transposeB: true,
    choice: { variant: 'short' },
  }).data();
  const expected = product(valuesA, valuesB, c);
  expect(y.subarray(0, c.N).every(Number.isNaN)).toBe(true);
  expect(y.subarray(c.N, 2 * c.N).every(Number.isFinite)).toBe(true);
  expect(relativeError(y.subarray(2 * c.N), expected.subarray(2 * c.N))).toBeLessThan(1e-6);
});

test('matrix units store whole tiles whose rows do not start at 16 bytes', async ({ skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const options: MatmulOptions = { choice: { variant: 'matrix', tile: 32 }, precision: 'f16' };
  await expectProduct(device, { M: 32, N: 67, K: 32, dtype: 'f16' }, options, 1e-6, 'f16');
});

test('matrix units hold bf16 weights of any usual size', async ({ skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const c = { M: 32, N: 64, K: 48, dtype: 'bf16', transposeB: true } as const;
  for (const size of [1e-4, 1000]) {
    const { a, valuesA, valuesB } = inputs(device, c);
    const scaled = rounded(
      valuesB.map((x) => x * size),
      'bf16',
    );
    const b = fromHost(device, encode(scaled, 'bf16'), [c.N, c.K], 'bf16');
    const y = matmul(a, b, { transposeB: true, choice: { variant: 'matrix', tile: 32 } });
    await expectClose(y, product(valuesA, scaled, c), 1e-6);
    for (const t of [a, b, y]) t.dispose();
  }
});

test.for([
  ['gradients', { size: 1e-9 }],
  ['activations', { size: 1e6, transposeB: true }],
  ['the end of the range', { size: 1e36 }],
  ['a batch', { size: 1e-20, batch: 2 }],
  ['slabs of a transposed A', { size: 1e-9, K: 70, transposeA: true, splits: 2 }],
] as const)('matrix units take an A that f16 does not hold: %s', async ([_, { size, ...rest }], { skip }) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const device = await testGpu('subgroup-matrix');
  const c: Case & { splits?: number } = { M: 32, N: 64, K: 48, dtype: 'f16', ...rest };
  const { a, b, valuesA, valuesB } = inputs(device, c);
  const values = valuesA.map((x) => x * size);
  const scaled = tensor(device, values, a.shape);
  const choice: MatmulChoice = { variant: 'matrix', tile: 32, splits: c.splits };
  const y = matmul(scaled, b, { transposeA: c.transposeA, transposeB: c.transposeB, choice });
  await expectClose(y, product(values, valuesB, c), 1e-6);
  for (const t of [a, b, scaled, y]) t.dispose();
});

test('whatever variant is chosen, any shape', async () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 90 }));
  const shape = fc.record({
    M: size,
    N: size,
    K: size,
    batch: fc.constantFrom(1, 1, 3),
    layout: fc.constantFrom(...LAYOUTS.map(([, layout]) => layout)),
    dtype: fc.constantFrom('f32', 'f16', 'bf16'),
    shared: fc.constantFrom('a', 'b', 'none'),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ layout, shared, dtype, ...c }) => {
      const sharing = { sharedA: shared === 'a' && c.batch > 1, sharedB: shared === 'b' && c.batch > 1 };
      await expectProduct(gpu, { ...c, ...layout, ...sharing, dtype: dtype as DType });
    }),
    { numRuns: 25, seed: 11 },
  );
});

test('long sums', async () => {
  await expectProduct(gpu, { M: 5, N: 7, K: 20000 }, {}, 1e-4);
  await expectProduct(gpu, { M: 5, N: 7, K: 20000, transposeA: true }, {}, 1e-4);
});

describe('epilogue', () => {
  const c = { M: 19, N: 37, K: 23, transposeB: true };
  const variants: readonly MatmulChoice[] = [
    { variant: 'wide' },
    { variant: 'tile', tile: 32 },
    { variant: 'wide', packed: true, splits: 2 },
  ];

  test.each(variants)('bias, activation, residual, scale: %j', async (choice) => {
    const names = choice.variant === 'wide' && !choice.splits ? Object.keys(activations) : ['gelu'];
    for (const activation of names as (keyof typeof activations)[]) {
      const { a, b, valuesA, valuesB } = inputs(gpu, c);
      const bias = random(c.N, 3);
      const residual = random(c.M * c.N, 4);
      const y = matmul(a, b, {
        transposeB: true,
        bias: tensor(gpu, bias),
        residual: tensor(gpu, residual, [c.M, c.N]),
        activation,
        scale: 0.75,
        choice,
      });
      const expected = product(valuesA, valuesB, c).map(
        (v, i) => activations[activation](0.75 * v + bias[i % c.N]) + residual[i],
      );
      await expectClose(y, expected);
    }
  });

  test.each(variants)('adds into an existing tensor: %j', async (choice) => {
    const { a, b, valuesA, valuesB } = inputs(gpu, c);
    const before = random(c.M * c.N, 5);
    const expected = product(valuesA, valuesB, c);
    for (const beta of [undefined, 0.5, 0]) {
      const into = tensor(gpu, beta === 0 ? before.map(() => Number.NaN) : before, [c.M, c.N]);
      const version = into.storage.buffer.version;
      expect(matmul(a, b, { transposeB: true, into, beta, scale: 2, choice })).toBe(into);
      expect(into.storage.buffer.version).toBe(version + 1);
      const kept = beta ?? 1;
      await expectClose(
        into,
        expected.map((v, i) => 2 * v + (kept === 0 ? 0 : kept * before[i])),
      );
    }
  });

  test('views at any offset', async () => {
    const { b, valuesB } = inputs(gpu, c);
    const whole = random(25 * c.K, 6);
    const view = (t: Tensor, first: number, rows: number) =>
      t.alias([rows, t.shape[1]], t.offset + first * t.shape[1] * 4);
    const a = view(tensor(gpu, whole, [25, c.K]), 3, c.M);
    const residuals = random(25 * c.N, 7);
    const residual = view(tensor(gpu, residuals, [25, c.N]), 1, c.M);
    const y = matmul(a, b, { transposeB: true, residual });
    const expected = product(whole.subarray(3 * c.K, (3 + c.M) * c.K), valuesB, c);
    await expectClose(
      y,
      expected.map((v, i) => v + residuals[c.N + i]),
    );
  });
});

test('NaN and infinity reach the results that they belong to, and no others', async () => {
  const [M, N, K] = [2, 9, 21];
  const ends = (y: Float32Array) => Array.from(y, (v) => (Number.isFinite(v) ? 0 : v));
  const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
  for (const choice of [...CHOICES, { variant: 'gemv' } as const]) {
    for (const transposeB of [false, true]) {
      // The last step of K, where padding with zeros could turn an infinity into NaN.
      const place = (k: number, n: number) => (transposeB ? n * K + k : k * N + n);
      const b = new Float32Array(K * N).fill(1);
      b[place(0, 3)] = nan;
      b[place(K - 1, 4)] = inf;
      const a = new Float32Array(M * K).fill(1);
      const shapeB = transposeB ? [N, K] : [K, N];
      const options = { choice, transposeB };
      const y = matmul(tensor(gpu, a, [M, K]), tensor(gpu, b, shapeB), options);
      const row = [0, 0, 0, nan, inf, 0, 0, 0, 0];
      expect(ends(await y.data())).toEqual([...row, ...row]);
      a[2 * K - 1] = inf;
      const z = matmul(tensor(gpu, a, [M, K]), tensor(gpu, new Float32Array(K * N).fill(1), shapeB), options);
      expect(ends(await z.data())).toEqual([...new Array(N).fill(0), ...new Array(N).fill(inf)]);
    }
  }
});

test('tensors over the binding limit are bound in pieces', async () => {
  const small = await testGpu(undefined, { maxBindingBytes: 8192 });
  const shapes: readonly Case[] = [
    { M: 30, N: 200, K: 64, transposeB: true },
    { M: 30, N: 200, K: 63, transposeB: true, dtype: 'bf16' },
    { M: 20, N: 60, K: 130 },
    { M: 200, N: 30, K: 64 },
    { M: 40, N: 30, K: 200, transposeA: true },
    { M: 20, N: 21, K: 22, batch: 9 },
    { M: 60, N: 61, K: 62, batch: 2 },
  ];
  for (const shape of shapes) await expectProduct(small, shape);
  const c = shapes[2];
  const { a, b, valuesA, valuesB } = inputs(small, c);
  const bias = random(c.N, 3);
  const residual = random(c.M * c.N, 4);
  const y = matmul(a, b, {
    bias: tensor(small, bias),
    residual: tensor(small, residual, [c.M, c.N]),
    activation: 'silu',
  });
  await expectClose(
    y,
    product(valuesA, valuesB, c).map((v, i) => activations.silu(v + bias[i % c.N]) + residual[i]),
  );
});

test('no launch does more than a slow GPU does in half a second', () => {
  class Counter extends Rehearsal {
    readonly flops: number[] = [];
    override launch(...[, , , options]: Parameters<Rehearsal['launch']>): void {
      if (options.flops) this.flops.push(options.flops);
    }
  }
  const shapes: readonly { M: number; N: number; K: number; batch?: number; transposeA?: boolean }[] = [
    { M: 8192, N: 18944, K: 3584 },
    { M: 18944, N: 3584, K: 8191, transposeA: true },
    { M: 4096, N: 4096, K: 4096, batch: 5 },
    { M: 16, N: 152064, K: 3584 },
  ];
  for (const { M, N, K, batch = 1, transposeA = false } of shapes) {
    const device = new Counter();
    scope(() => {
      const a = empty(device, transposeA ? [batch, K, M] : [batch, M, K]);
      matmul(a, empty(device, [batch, K, N]), { transposeA, choice: { variant: 'tile' } });
    });
    const total = 2 * batch * M * N * K;
    expect(device.flops.reduce((sum, flops) => sum + flops, 0)).toBe(total);
    expect(device.flops.length).toBeGreaterThanOrEqual(Math.ceil(total / 2.5e11));
    expect(Math.max(...device.flops)).toBeLessThanOrEqual(1.2 * 2.5e11);
  }
});

test('reruns agree bit for bit', async () => {
  for (const choice of [...CHOICES.map((c) => ({ ...c, splits: 3 })), undefined]) {
    const { a, b } = inputs(gpu, { M: 37, N: 45, K: 600 });
    const first = await matmul(a, b, { choice }).data();
    const second = await matmul(a, b, { choice }).data();
    expect(second).toEqual(first);
  }
});

test('explains mistakes', () => {
  scope(() => {
    const make = (shape: number[], dtype: DType = 'f32') =>
      tensor(gpu, new Float32Array(shape.reduce((n, d) => n * d, 1)), shape, { dtype });
    expect(() => matmul(make([2, 3]), make([4, 5]))).toThrow(
      'matmul: shapes [2, 3] and [4, 5] do not fit (K is 3 and 4); expected [..., M, K] and [..., K, N]',
    );
    expect(() => matmul(make([2, 3]), make([3]))).toThrow('are not matrices');
    expect(() => matmul(make([2, 2, 3]), make([4, 3, 5]))).toThrow('differ in batch');
    expect(() => matmul(make([2, 3], 'f16'), make([3, 5]))).toThrow('a is f16[2, 3], expected f32');
    expect(() => matmul(make([3, 2]), make([5, 3]), { transposeA: true, transposeB: true })).toThrow(
      'transposing both operands is not supported',
    );
    expect(() => matmul(make([2, 3]), make([3, 5]), { bias: make([4]) })).toThrow('expected shape [5]');
    expect(() => matmul(make([2, 3]), make([3, 5]), { into: make([5, 2]) })).toThrow('expected shape [2, 5]');
    expect(() => matmul(make([20, 3]), make([3, 5]), { choice: { variant: 'gemv' } })).toThrow(
      'at most 16 rows',
    );
  });
});
