/** Products of decode steps with what stands around them, against float64. */
import { expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import {
  type StepLayer,
  type StepSurroundings,
  stepProduct,
  stepProductFits,
} from '../src/kernels/step-product.js';
import { scope, type Tensor, tensor, type WeightFormat } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu, testTiers } from './support/gpu.js';
import { activations, product, rounded } from './support/matmul.js';

interface Case {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly dtype: WeightFormat;
  readonly bias?: boolean;
  readonly norm?: boolean;
  readonly aroundOne?: boolean;
  readonly gated?: 'swiglu' | 'geglu';
  readonly residual?: boolean;
  /** Rank of the adapters, and the columns that each has. */
  readonly rank?: number;
  readonly parts?: readonly number[];
}

const GATES = { swiglu: activations.silu, geglu: activations['gelu-tanh'] };
const EPS = 1e-5;
const SCALE = 1.5;

interface Inputs {
  readonly x: Tensor;
  readonly layer: StepLayer;
  readonly around: StepSurroundings;
  readonly want: Float64Array;
}

/** `N` counts the columns of the result. */
function inputs(gpu: Gpu, c: Case): Inputs {
  const { M, N, K, dtype, rank = 0, gated } = c;
  const columns = gated ? 2 * N : N;
  const parts = c.parts ?? (gated ? [N, N] : [N]);
  const weight = random(columns * K, 2);
  const values = {
    x: random(M * K, 1).map((v) => 2 * v),
    w: rounded(weight, dtype),
    bias: random(columns, 3),
    gain: random(K, 4).map((v) => (c.aroundOne ? v : 1 + v)),
    residual: random(M * N, 5),
    a: random(parts.length * rank * K, 6),
    b: random(columns * rank, 7),
  };
  const normal = Float64Array.from(values.x, (v, i) => {
    if (!c.norm) return v;
    const row = values.x.subarray(i - (i % K), i - (i % K) + K);
    const mean = row.reduce((sum, own) => sum + own * own, 0) / K;
    return (v / Math.sqrt(mean + EPS)) * (values.gain[i % K] + (c.aroundOne ? 1 : 0));
  });
  const sums = product(normal, values.w, { M, N: columns, K, transposeB: true });
  const narrow = product(normal, values.a, { M, N: parts.length * rank, K, transposeB: true });
  const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, n) => sum + n, 0));
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < columns; n++) {
      const part = ends.findIndex((end) => n < end);
      for (let r = 0; r < rank; r++) {
        sums[m * columns + n] +=
          SCALE * narrow[(m * parts.length + part) * rank + r] * values.b[n * rank + r];
      }
      if (c.bias) sums[m * columns + n] += values.bias[n];
    }
  }
  const want = Float64Array.from({ length: M * N }, (_, i) => {
    const at = Math.floor(i / N) * columns + (i % N);
    const value = gated ? GATES[gated](sums[at]) * sums[at + N] : sums[at];
    return value + (c.residual ? values.residual[i] : 0);
  });
  const adapter = {
    a: tensor(gpu, values.a.length > 0 ? values.a : [0], [Math.max(1, parts.length * rank), rank ? K : 1]),
    b: tensor(gpu, values.b.length > 0 ? values.b : [0], [rank ? columns : 1, Math.max(1, rank)]),
    scale: SCALE,
    parts,
  };
  return {
    x: tensor(gpu, values.x, [M, K]),
    layer: {
      weight: tensor(gpu, weight, [columns, K], { dtype }),
      bias: c.bias ? tensor(gpu, values.bias, [columns]) : null,
      adapter: rank > 0 ? adapter : null,
    },
    around: {
      norm: c.norm ? { weight: tensor(gpu, values.gain, [K]), eps: EPS, aroundOne: c.aroundOne } : null,
      gated,
      residual: c.residual ? tensor(gpu, values.residual, [M, N]) : null,
    },
    want,
  };
}

async function expectProduct(gpu: Gpu, c: Case): Promise<void> {
  const [y, again, want] = scope(() => {
    const { x, layer, around, want } = inputs(gpu, c);
    expect(stepProductFits(x, layer, around)).toBe(true);
    return [stepProduct(x, layer, around), stepProduct(x, layer, around), want] as const;
  });
  await expectClose(y, want, 1e-5);
  expect(await again.raw()).toEqual(await y.raw());
  y.dispose();
  again.dispose();
}

/** As hardware has it: some rows, norms, gates and adapters of all kinds. */
const CASES: readonly Case[] = [
  { M: 1, N: 7, K: 40, dtype: 'bf16', norm: true, bias: true },
  { M: 2, N: 576, K: 72, dtype: 'nf4', norm: true, bias: true, residual: true, rank: 8 },
  { M: 3, N: 24, K: 520, dtype: 'nf4', gated: 'swiglu' },
  { M: 3, N: 24, K: 520, dtype: 'int4', norm: true, gated: 'swiglu' },
  { M: 2, N: 530, K: 72, dtype: 'f16', residual: true },
  { M: 5, N: 18, K: 264, dtype: 'bf16', norm: true, gated: 'swiglu', bias: true },
  { M: 6, N: 521, K: 36, dtype: 'f32', gated: 'swiglu', residual: true },
  { M: 11, N: 640, K: 136, dtype: 'bf16', norm: true, bias: true, rank: 8, parts: [512, 64, 64] },
  { M: 8, N: 48, K: 64, dtype: 'f32', norm: true, rank: 12, residual: true },
  { M: 3, N: 24, K: 520, dtype: 'f16', norm: true, gated: 'swiglu', rank: 4 },
  { M: 2, N: 18, K: 264, dtype: 'bf16', norm: true, aroundOne: true, gated: 'geglu', rank: 4 },
  { M: 20, N: 40, K: 48, dtype: 'f32', norm: true, aroundOne: true },
  { M: 19, N: 16, K: 64, dtype: 'bf16', norm: true, rank: 8, parts: [8, 8] },
];

test.for(['base', 'subgroups'] as const)('on hardware, tier %s', async (tier, { skip }) => {
  skip(!(await testTiers()).includes(tier), `the adapter has no ${tier}`);
  const gpu = await testGpu(tier, { software: false });
  // Without subgroups all of them run the kernel whose teams are workgroups.
  const own = tier === 'base' ? CASES.filter((_, i) => i % 2 === 0) : CASES;
  for (const c of own) await expectProduct(gpu, c);
});

test('on software adapters, one row', async ({ skip }) => {
  const gpu = await testGpu();
  skip(!gpu.info.software || !gpu.has.subgroups, 'the adapter is no software, or has no subgroups');
  for (const c of CASES) await expectProduct(gpu, { ...c, M: 1 });
});

test('what it does not compute', async () => {
  const gpu = await testGpu(undefined, { software: false });
  scope(() => {
    const fits = (c: Partial<Case>) => {
      const { x, layer, around } = inputs(gpu, { M: 2, N: 16, K: 64, dtype: 'bf16', ...c });
      return stepProductFits(x, layer, around);
    };
    expect(fits({})).toBe(true);
    expect(fits({ M: 65 })).toBe(false);
    expect(fits({ K: 60 })).toBe(false);
    expect(fits({ rank: 6 })).toBe(false);
    expect(fits({ rank: 8, parts: [4, 12] })).toBe(false);
    const { x, layer } = inputs(gpu, { M: 65, N: 16, K: 64, dtype: 'bf16' });
    expect(() => stepProduct(x, layer)).toThrow('ask stepProductFits first');
    const small = inputs(gpu, { M: 2, N: 16, K: 64, dtype: 'bf16' });
    expect(() => stepProduct(small.x, small.layer, { residual: small.x })).toThrow('residual is f32[2, 64]');
  });
});
