import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import {
  attentionForward,
  decodeAttention,
  type KvCache,
  kvAppend,
  NO_SLOT,
  rotateAppend,
  Segments,
} from '../src/kernels/attention.js';
import { full } from '../src/kernels/elementwise.js';
import { rotaryAngles, rotaryTable } from '../src/kernels/rotary.js';
import { type DType, decode, encode, fromHost, scope, tensor, zeros } from '../src/tensor/index.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { testGpu } from './support/gpu.js';

const SLOTS = 700;

/** Slots of a sequence: prefix start and end, own start and end. */
type Sequence = readonly [number, number, number, number];

interface Problem {
  readonly heads: number;
  readonly kvHeads: number;
  readonly dim: number;
  readonly queries: number;
  readonly sequences: readonly Sequence[];
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Decode attention in float64 from its definition. */
function reference(
  { heads, kvHeads, dim, queries, sequences }: Problem,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  window = Number.POSITIVE_INFINITY,
): Float64Array {
  const out = new Float64Array(q.length);
  sequences.forEach(([prefixStart, prefixEnd, start, end], s) => {
    const slots: number[] = [];
    for (let j = prefixStart; j < prefixEnd; j++) slots.push(j);
    for (let j = start; j < end; j++) slots.push(j);
    for (let i = 0; i < queries; i++) {
      const end = Math.max(0, slots.length - (queries - 1 - i));
      const seen = slots.slice(Math.max(0, end - window), end);
      for (let h = 0; h < heads; h++) {
        const at = ((s * queries + i) * heads + h) * dim;
        const places = seen.map((slot) => (slot * kvHeads + Math.floor((h * kvHeads) / heads)) * dim);
        const scores = places.map((from) => {
          let sum = 0;
          for (let d = 0; d < dim; d++) sum += q[at + d] * k[from + d];
          return sum / Math.sqrt(dim);
        });
        const top = Math.max(...scores);
        const total = scores.reduce((sum, x) => sum + Math.exp(x - top), 0);
        places.forEach((from, n) => {
          const p = Math.exp(scores[n] - top) / total;
          for (let d = 0; d < dim; d++) out[at + d] += p * v[from + d];
        });
      }
    }
  });
  return out;
}

/** Samples of two prompts, one alone, one that has no keys, and one whose prefix is all it has. */
const SEQUENCES: readonly Sequence[] = [
  [0, 300, 400, 407],
  [0, 300, 410, 411],
  [300, 311, 420, 600],
  [0, 0, 610, 615],
  [0, 0, 620, 620],
  [311, 330, 0, 0],
];

function inputs({ heads, kvHeads, dim, queries, sequences }: Problem, dtype: DType) {
  const round = (x: Float32Array) => decode(encode(x, dtype), dtype);
  return {
    q: random(sequences.length * queries * heads * dim, 1).map((x) => 3 * x),
    k: round(random(SLOTS * kvHeads * dim, 2)),
    v: round(random(SLOTS * kvHeads * dim, 3)),
  };
}

describe.each(['wide', 'tile'] as const)('%s kernels', (variant) => {
  test.each([
    ['f32', { heads: 2, kvHeads: 2, dim: 20, queries: 1 }],
    ['f16', { heads: 4, kvHeads: 2, dim: 64, queries: 2 }],
    ['bf16', { heads: 7, kvHeads: 1, dim: 128, queries: 1 }],
    ['bf16', { heads: 2, kvHeads: 1, dim: 80, queries: 3 }],
  ] as const)('%s cache, %o', async (dtype, sizes) => {
    const problem = { ...sizes, sequences: SEQUENCES };
    const { q, k, v } = inputs(problem, dtype);
    for (const [splits, window] of [
      [undefined, undefined],
      [3, undefined],
      [undefined, 130],
      [2, 5],
    ]) {
      const want = reference(problem, q, k, v, window);
      const out = scope(() => {
        const shape = [SLOTS, sizes.kvHeads, sizes.dim];
        const cache: KvCache = { k: tensor(gpu, k, shape, { dtype }), v: tensor(gpu, v, shape, { dtype }) };
        const table = fromHost(gpu, Uint32Array.from(SEQUENCES.flat()), [SEQUENCES.length, 4], 'u32');
        const queries = tensor(gpu, q, [q.length / sizes.heads / sizes.dim, sizes.heads, sizes.dim]);
        full(gpu, [q.length], Number.NaN, 'scratch').dispose();
        return decodeAttention(queries, cache, table, { maxKeys: 700, variant, splits, window });
      });
      await expectClose(out, want, 1e-5);
      out.dispose();
    }
  });
});

test.each(['f32', 'f16', 'bf16'] as const)(
  'kvAppend rounds to %s and leaves other slots alone',
  async (dtype) => {
    const [k, v] = [random(3 * 40, 4), random(3 * 40, 5)];
    const [kCache, vCache] = scope(() => {
      const cache = { k: zeros(gpu, [9, 2, 20], { dtype }), v: zeros(gpu, [9, 2, 20], { dtype }) };
      const slots = fromHost(gpu, Uint32Array.of(7, NO_SLOT, 2), [3], 'u32');
      kvAppend(cache, tensor(gpu, k, [3, 2, 20]), tensor(gpu, v, [3, 2, 20]), slots);
      return [cache.k, cache.v];
    });
    for (const [cache, rows] of [
      [kCache, k],
      [vCache, v],
    ] as const) {
      const want = new Float32Array(9 * 40);
      want.set(rows.subarray(0, 40), 7 * 40);
      want.set(rows.subarray(80, 120), 2 * 40);
      expect(await cache.raw()).toEqual(encode(want, dtype));
      cache.dispose();
    }
  },
);

test.each(['f32', 'f16', 'bf16'] as const)(
  'rotateAppend rotates queries and keys that come with values, into a cache in %s',
  async (dtype) => {
    const [rows, heads, kvHeads, dim] = [3, 6, 2, 24];
    const all = heads + 2 * kvHeads;
    const x = random(rows * all * dim, 4);
    const positions = [7, 1000, 31];
    const angles = rotaryAngles(positions, dim, 10_000);
    const [turned, kCache, vCache] = scope(() => {
      const shape = [9, kvHeads, dim];
      const cache = { k: zeros(gpu, shape, { dtype }), v: zeros(gpu, shape, { dtype }) };
      const slots = fromHost(gpu, Uint32Array.of(7, NO_SLOT, 2), [rows], 'u32');
      const joined = tensor(gpu, x, [rows, all, dim]);
      return [rotateAppend(cache, joined, rotaryTable(gpu, angles, dim), slots), cache.k, cache.v];
    });
    const rotated = Float64Array.from(x, (_, i) => {
      const [j, row] = [i % dim, Math.floor(i / (all * dim))];
      const angle = angles[(row * dim) / 2 + (j % (dim / 2))];
      const [other, sign] = j < dim / 2 ? [i + dim / 2, -1] : [i - dim / 2, 1];
      return x[i] * Math.cos(angle) + sign * x[other] * Math.sin(angle);
    });
    const headsOf = (values: ArrayLike<number>, row: number, first: number, count: number) =>
      Array.from(values).slice((row * all + first) * dim, (row * all + first + count) * dim);
    const queries = positions.flatMap((_, row) => headsOf(rotated, row, 0, heads));
    await expectClose(turned, Float64Array.from(queries), 1e-6);
    const kept = (values: ArrayLike<number>, first: number) => {
      const want = new Float64Array(9 * kvHeads * dim);
      want.set(headsOf(values, 0, first, kvHeads), 7 * kvHeads * dim);
      want.set(headsOf(values, 2, first, kvHeads), 2 * kvHeads * dim);
      return want;
    };
    await expectClose(kCache, kept(rotated, heads), { f32: 1e-6, f16: 1e-3, bf16: 1e-2 }[dtype]);
    const values = Float32Array.from(kept(x, heads + kvHeads));
    expect(await vCache.raw()).toEqual(encode(values, dtype));
    for (const t of [turned, kCache, vCache]) t.dispose();
  },
);

test('a recorded step, replayed as two samples of a prompt grow, equals attention over the whole sequences', async () => {
  const [heads, kvHeads, dim, prompt, steps] = [4, 2, 20, 5, 4];
  const tokens = prompt + 2 * steps;
  const width = kvHeads * dim;
  const q = random(tokens * heads * dim, 6);
  const [k, v] = [random(tokens * width, 7), random(tokens * width, 8)];
  const segments = Segments.fromGroups(gpu, [{ prompt, completions: [steps, steps] }]);
  const whole = scope(() => {
    const [tk, tv] = [k, v].map((x) => tensor(gpu, x, [tokens, kvHeads, dim]));
    return attentionForward(tensor(gpu, q, [tokens, heads, dim]), tk, tv, segments).out;
  });
  const want = await whole.data();

  const cache = { k: zeros(gpu, [32, kvHeads, dim]), v: zeros(gpu, [32, kvHeads, dim]) };
  const rows = (x: Float32Array, at: readonly number[]) => {
    const n = x.length / tokens;
    return Float32Array.from(at.flatMap((row) => [...x.subarray(row * n, (row + 1) * n)]));
  };
  const promptRows = [...Array(prompt).keys()];
  scope(() => {
    const [tk, tv] = [k, v].map((x) => tensor(gpu, rows(x, promptRows), [prompt, kvHeads, dim]));
    kvAppend(cache, tk, tv, fromHost(gpu, Uint32Array.from(promptRows), [prompt], 'u32'));
  });
  const stepQ = zeros(gpu, [2, heads, dim]);
  const [stepK, stepV] = [zeros(gpu, [2, kvHeads, dim]), zeros(gpu, [2, kvHeads, dim])];
  const slots = zeros(gpu, [2], { dtype: 'u32' });
  const sequences = zeros(gpu, [2, 4], { dtype: 'u32' });
  const load = (step: number) => {
    const at = [prompt + step, prompt + steps + step];
    stepQ.write(rows(q, at));
    stepK.write(rows(k, at));
    stepV.write(rows(v, at));
    slots.write(Uint32Array.of(10 + step, 20 + step));
    sequences.write(Uint32Array.of(0, prompt, 10, 11 + step, 0, prompt, 20, 21 + step));
    return rows(want, at);
  };
  const first = load(0);
  const { recording, result } = gpu.record(() => {
    kvAppend(cache, stepK, stepV, slots);
    return decodeAttention(stepQ, cache, sequences, { maxKeys: prompt + steps });
  });
  expect(relativeError(await result.data(), first)).toBeLessThan(1e-6);
  for (let step = 1; step < steps; step++) {
    const expected = load(step);
    recording.replay();
    expect(relativeError(await result.data(), expected)).toBeLessThan(1e-6);
  }
  recording.dispose();
  for (const t of [whole, result, cache.k, cache.v, stepQ, stepK, stepV, slots, sequences]) t.dispose();
  segments.dispose();
});

test('mistakes are explained', () => {
  scope(() => {
    const cache = { k: zeros(gpu, [8, 2, 20]), v: zeros(gpu, [8, 2, 20]) };
    const row = zeros(gpu, [3, 2, 20]);
    const slots = zeros(gpu, [3], { dtype: 'u32' });
    const table = zeros(gpu, [3, 4], { dtype: 'u32' });
    const options = { maxKeys: 8 };
    expect(() => kvAppend(cache, row, row, zeros(gpu, [2], { dtype: 'u32' }))).toThrow('slots is u32[2]');
    expect(() => kvAppend(cache, row, row, zeros(gpu, [3]))).toThrow('slots is f32[3], expected u32');
    expect(() => kvAppend(cache, zeros(gpu, [3, 1, 20]), row, slots)).toThrow('k is f32[3, 1, 20]');
    expect(() => kvAppend({ k: cache.k, v: cache.k }, row, row, slots)).toThrow('same buffer');
    const half = { k: cache.k, v: zeros(gpu, [8, 2, 20], { dtype: 'f16' }) };
    expect(() => kvAppend(half, row, row, slots)).toThrow(
      'the cache of values is f16[8, 2, 20], expected f32',
    );
    const angles = { cos: zeros(gpu, [3, 10]), sin: zeros(gpu, [3, 10]) };
    expect(() => rotateAppend(cache, row, angles, slots)).toThrow('head dimension 20 is not a multiple of 8');
    const wide = { k: zeros(gpu, [8, 2, 16]), v: zeros(gpu, [8, 2, 16]) };
    expect(() => rotateAppend(wide, zeros(gpu, [3, 4, 16]), angles, slots)).toThrow(
      'no queries beside 2 keys',
    );
    expect(() => rotateAppend(wide, zeros(gpu, [3, 8, 16]), angles, slots)).toThrow(
      'the table is f32[3, 10]',
    );
    const q = zeros(gpu, [3, 4, 20]);
    expect(() => decodeAttention(zeros(gpu, [4, 4, 20]), cache, table, options)).toThrow(
      'q has 4 tokens for 3 sequences',
    );
    expect(() => decodeAttention(zeros(gpu, [3, 3, 20]), cache, table, options)).toThrow(
      'not a multiple of 2',
    );
    expect(() => decodeAttention(q, cache, zeros(gpu, [3, 3], { dtype: 'u32' }), options)).toThrow(
      'sequences is',
    );
    expect(() => decodeAttention(q, cache, table, { maxKeys: 0 })).toThrow('maxKeys is 0');
    expect(() => decodeAttention(q, cache, table, { maxKeys: 8, splits: 0.5 })).toThrow('splits is 0.5');
  });
});
