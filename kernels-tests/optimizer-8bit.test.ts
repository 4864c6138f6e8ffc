/** AdamW with moments in 8 bits and with bf16 weights that have no master, beside bitsandbytes' formulas in float64. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tier } from '../src/gpu/index.js';
import { cast } from '../src/kernels/elementwise.js';
import { gradientNorm } from '../src/kernels/gradient-norm.js';
import { momentTables, zeroMoments } from '../src/kernels/moments.js';
import { type AdamW8bitTensors, adamw8bit } from '../src/kernels/optimizer-8bit.js';
import { randomWords } from '../src/kernels/random.js';
import { dynamicTable, encode, midpoints, type Tensor, tensor, zeros } from '../src/tensor/index.js';
import { random } from './support/compare.js';
import { testGpu, testTiers } from './support/gpu.js';

let gpu: Gpu;
let tiers: readonly Tier[];
beforeAll(async () => {
  gpu = await testGpu();
  tiers = await testTiers();
});

const BETAS = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };
const [FIRST, SECOND] = [dynamicTable(true), dynamicTable(false)];

/** A weight on the device, and its gradients of each step. */
function weight(on: Gpu, size: number, seed: number, kind: 'f32' | 'f16' | 'bf16' | 'alone') {
  const start = random(size, seed);
  const master = tensor(on, start);
  const dtype = kind === 'alone' ? 'bf16' : kind;
  const param = dtype === 'f32' ? master : cast(master, dtype);
  const keeps = kind === 'f16' || kind === 'bf16';
  // Blocks of very different sizes, one of them without any gradient.
  const gradient = (step: number) =>
    random(size, seed + 100 * step).map((x, i) => x * [1, 1e-6, 0, 100][Math.floor(i / 256) % 4]);
  const tensors: AdamW8bitTensors = {
    param,
    ...(keeps ? { master } : {}),
    grad: zeros(on, [size]),
    moments: zeroMoments(on, size),
  };
  return { tensors, gradient, tables: momentTables(on) };
}

/** Codes and magnitudes as the device has them, as numbers. */
async function moments({ moments: stored, param }: AdamW8bitTensors) {
  const words = (await stored.raw()) as Uint32Array;
  const floats = new Float32Array(words.buffer);
  const bytes = new Uint8Array(words.buffer);
  const read = (i: number, half: number, table: Float32Array) => {
    const block = Math.floor(i / 256);
    const code = bytes[520 * block + 256 * half + (i % 256)];
    const largest = floats[130 * block + 128 + half];
    return { code, largest, value: largest === 0 ? 0 : table[code] * largest };
  };
  return Array.from({ length: param.size }, (_, i) => ({ m: read(i, 0, FIRST), v: read(i, 1, SECOND) }));
}

/** One step in float64 from what the device had before it, whose moments are checked; gives the weights after it. */
async function follow({ tensors, gradient, tables }: ReturnType<typeof weight>, step: number) {
  const { param, master, grad } = tensors;
  const g = gradient(step);
  grad.write(g);
  const before = await moments(tensors);
  const old = await (master ?? param).data();
  const options = { lr: 0.01, weightDecay: 0.1, step, ...BETAS, tables };
  adamw8bit(tensors, { ...options, rounding: { seed: 5, stream: 6, step } });
  const after = await moments(tensors);
  const m64 = before.map(({ m }, i) => 0.9 * m.value + 0.1 * g[i]);
  const v64 = before.map(({ v }, i) => 0.95 * v.value + 0.05 * g[i] ** 2);
  const wrong: unknown[] = [];
  for (let first = 0; first < g.length; first += 256) {
    for (const [kind, list, table] of [
      ['m', m64, FIRST],
      ['v', v64, SECOND],
    ] as const) {
      const block = list.slice(first, first + 256);
      const largest = block.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const found = after[first][kind].largest;
      if (Math.abs(found - largest) > 1e-6 * largest) wrong.push([first, kind, found, largest]);
      block.forEach((x, i) => {
        const { code } = after[first + i][kind];
        if (!isNearest(code, x / (largest || 1), table)) wrong.push([first + i, kind, code, x / largest]);
      });
    }
  }
  expect(wrong).toEqual([]);
  const rate = 0.01 / (1 - 0.9 ** step);
  return Array.from(old, (p, i) => {
    const root = Math.sqrt(v64[i] / (1 - 0.95 ** step));
    return p * (1 - 0.01 * 0.1) - (rate * m64[i]) / (root + 1e-8);
  });
}

/** By midpoints, where f32 and f64 may fall to different sides; what is negative stays so. */
function isNearest(code: number, x: number, table: Float32Array): boolean {
  const between = midpoints(table);
  const above = between.findIndex((middle) => x <= middle);
  const nearest = above < 0 ? 255 : above;
  const expected = table[0] < 0 && x < 0 ? Math.min(nearest, 126) : nearest;
  return code === expected || Math.abs(x / between[Math.min(code, expected)] - 1) < 1e-5;
}

describe('moments in 8 bits', () => {
  it.each(['f32', 'f16', 'bf16'] as const)('%s weights of any size, step by step', async (kind) => {
    for (const size of [2048, 1026, 1025, 3]) {
      const w = weight(gpu, size, size, kind);
      for (const step of [1, 2, 3]) {
        const expected = await follow(w, step);
        const found = await (w.tensors.master ?? w.tensors.param).data();
        const errors = expected.map((value, i) => Math.abs(found[i] - value));
        expect(Math.max(...errors)).toBeLessThan(1e-6);
        if (w.tensors.master) expect(await w.tensors.param.raw()).toEqual(encode(found, kind));
      }
    }
  });

  it('stays near the trajectory of exact moments over 200 steps', async () => {
    const size = 4096;
    const w = weight(gpu, size, 3, 'f32');
    const p = Float64Array.from(await w.tensors.param.data());
    const [m, v, start] = [new Float64Array(size), new Float64Array(size), Float64Array.from(p)];
    // A quadratic bowl with noise: what a weight sees in training.
    for (let step = 1; step <= 200; step++) {
      const found = await w.tensors.param.data();
      const noise = random(size, 1000 + step);
      w.tensors.grad.write(Float32Array.from(found, (x, i) => x + noise[i]));
      adamw8bit(w.tensors, { lr: 0.005, step, ...BETAS, tables: w.tables });
      for (let i = 0; i < size; i++) {
        const g = p[i] + noise[i];
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.95 * v[i] + 0.05 * g * g;
        const root = Math.sqrt(v[i] / (1 - 0.95 ** step));
        p[i] -= (0.005 / (1 - 0.9 ** step)) * (m[i] / (root + 1e-8));
      }
    }
    const found = await w.tensors.param.data();
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.sqrt(Array.from(a).reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));
    expect(distance(found, p) / distance(start, p)).toBeLessThan(0.02);
  });
});

describe('bf16 weights without a master', () => {
  /** The bf16 number of bits, and the next one further from zero. */
  const number = (bits: number) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];

  it('are rounded up or down by the random word of their place', async () => {
    const size = 2050;
    const w = weight(gpu, size, 7, 'alone');
    for (const step of [1, 2]) {
      const expected = await follow(w, step);
      const bits = (await w.tensors.param.raw()) as Uint16Array;
      // Where f32 and f64 differ in the last place, so may the side, but no more.
      const other = expected.filter((value, i) => {
        const position = Math.floor(i / 4);
        const word = randomWords({ seed: 5, stream: 6, step, position })[i % 4];
        const exact = new Uint32Array(Float32Array.of(value).buffer)[0];
        return bits[i] !== (exact + (word >>> 16)) >>> 16;
      });
      expect(other.length).toBeLessThan(size * 0.005);
      const gaps = expected.map((value, i) => {
        const gap = Math.abs(number(bits[i] + 1) - number(bits[i]));
        return Math.abs(number(bits[i]) - value) / gap;
      });
      expect(Math.max(...gaps)).toBeLessThan(1.001);
    }
  });

  it('move by steps far below their rounding, on average', async () => {
    const size = 8192;
    const param = tensor(gpu, new Float32Array(size).fill(1), [size], { dtype: 'bf16' });
    const grad = tensor(gpu, new Float32Array(size).fill(1));
    const w = { param, grad, moments: zeroMoments(gpu, size) };
    const tables = momentTables(gpu);
    // A step is 1e-4, and the next number below 1 is 0.0039 away. To nearest, nothing would move.
    for (let step = 1; step <= 100; step++) {
      adamw8bit(w, { lr: 1e-4, step, ...BETAS, tables, rounding: { seed: 1, stream: 2, step } });
    }
    const mean = (await param.data()).reduce((a, b) => a + b, 0) / size;
    expect(Math.abs(mean - 0.99)).toBeLessThan(5e-4);
  });
});

/** Everything a run of some steps leaves behind. */
async function outcome(
  on: Gpu,
  kind: 'bf16' | 'alone',
  size = 1003,
): Promise<(ArrayBufferLike | undefined)[]> {
  const { tensors, gradient, tables } = weight(on, size, 4, kind);
  for (const step of [1, 2, 3]) {
    tensors.grad.write(gradient(step));
    const rounding = { seed: 9, stream: 1, step };
    adamw8bit(tensors, { lr: 0.01, step, ...BETAS, tables, rounding });
  }
  const { param, master, moments: state } = tensors;
  return Promise.all([param, master, state].map(async (t) => (await t?.raw())?.buffer));
}

describe.each(['bf16', 'alone'] as const)('%s: the same bytes', (kind) => {
  it('in every tier, and again', async () => {
    const expected = await outcome(gpu, kind);
    for (const tier of tiers) expect(await outcome(await testGpu(tier), kind)).toEqual(expected);
    expect(await outcome(await testGpu(undefined, { software: false }), kind)).toEqual(expected);
  });

  it('in windows, where a weight is over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 16640 });
    for (const size of [20_000, 20_001]) {
      expect(await outcome(small, kind, size)).toEqual(await outcome(gpu, kind, size));
    }
  });
});

it('changes nothing where a gradient is not finite', async () => {
  const { tensors, gradient, tables } = weight(gpu, 4096, 1, 'alone');
  const all = () => Promise.all([tensors.param, tensors.moments].map((t: Tensor) => t.raw()));
  const before = await all();
  const g = gradient(1);
  g[4000] = Number.NaN;
  tensors.grad.write(g);
  const control = gradientNorm([tensors.grad]);
  adamw8bit(tensors, { lr: 1, step: 1, tables, control, rounding: { seed: 1, stream: 1, step: 1 } });
  expect(await all()).toEqual(before);
});

it('says what is wrong with its arguments', () => {
  const { tensors, tables } = weight(gpu, 300, 1, 'alone');
  const options = { lr: 1, step: 1, tables };
  expect(() => adamw8bit(tensors, options)).toThrow(
    'bf16[300] has no master copy, so it needs random numbers',
  );
  const half = cast(tensors.param, 'f16');
  expect(() => adamw8bit({ ...tensors, param: half }, options)).toThrow('only bf16 can do without');
  const other = zeroMoments(gpu, 600);
  expect(() => adamw8bit({ ...tensors, moments: other }, options)).toThrow(
    'moments is u32[3, 130], expected',
  );
});
