import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { backward, crossEntropy, gradcheck, tokenLogProbs } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { type DType, decode, encode, fromHost, scope, tensor } from '../src/tensor/index.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';
import { onMatrixUnits } from './support/matmul.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

interface Setting {
  readonly T: number;
  readonly D: number;
  readonly V: number;
  readonly temperature: number;
  readonly dtype: DType;
  readonly targets: Int32Array;
  readonly h: Float32Array;
  readonly weight: Float32Array;
  /** Gradients of logp and entropy. */
  readonly w: Float32Array;
  readonly u: Float32Array;
}

function setting(T: number, D: number, V: number, temperature = 1, dtype: DType = 'f32'): Setting {
  return {
    T,
    D,
    V,
    temperature,
    dtype,
    h: random(T * D, 1).map((x) => 3 * x),
    weight: decode(encode(random(V * D, 2), dtype), dtype),
    targets: Int32Array.from(random(T, 3), (x, t) => (t % 5 === 3 ? -100 : Math.floor(((x + 1) / 2) * V))),
    w: random(T, 4),
    u: random(T, 5),
  };
}

/** The same in float64, holding all logits. */
function reference({ T, D, V, temperature, targets, h, weight, w, u }: Setting) {
  const out = {
    logp: new Float64Array(T),
    entropy: new Float64Array(T),
    hit: new Float64Array(T),
    lse: new Float64Array(T),
    dh: new Float64Array(T * D),
    dw: new Float64Array(V * D),
  };
  const l = new Float64Array(V);
  for (let t = 0; t < T; t++) {
    for (let v = 0; v < V; v++) {
      let dot = 0;
      for (let d = 0; d < D; d++) dot += h[t * D + d] * weight[v * D + d];
      l[v] = dot / temperature;
    }
    const largest = l.reduce((a, b) => Math.max(a, b));
    const lse = largest + Math.log(l.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    const entropy = -l.reduce((sum, x) => sum + Math.exp(x - lse) * (x - lse), 0);
    const known = targets[t] >= 0;
    out.logp[t] = known ? l[targets[t]] - lse : 0;
    out.entropy[t] = entropy;
    out.lse[t] = lse;
    out.hit[t] = known && l.indexOf(largest) === targets[t] ? 1 : 0;
    for (let v = 0; v < V; v++) {
      const p = Math.exp(l[v] - lse);
      const g =
        ((known ? w[t] * ((v === targets[t] ? 1 : 0) - p) : 0) - u[t] * p * (l[v] - lse + entropy)) /
        temperature;
      for (let d = 0; d < D; d++) {
        out.dh[t * D + d] += g * weight[v * D + d];
        out.dw[v * D + d] += g * h[t * D + d];
      }
    }
  }
  return out;
}

/** Runs forward and backward; leaves NaN in the pool's memory first. */
function run(on: Gpu, s: Setting, scratchBytes?: number) {
  for (const size of [s.T, s.T * 4, s.T * s.V, s.V * s.D]) {
    tensor(on, new Float32Array(size).fill(Number.NaN), undefined, { purpose: 'scratch' }).dispose();
  }
  return scope(() => {
    const h = tensor(on, s.h, [s.T, s.D]).requireGrad();
    const weight = fromHost(on, encode(s.weight, s.dtype), [s.V, s.D], s.dtype).requireGrad();
    const targets = fromHost(on, s.targets, [s.T], 'i32');
    const { logp, entropy, lse, hit } = tokenLogProbs(h, weight, targets, {
      temperature: s.temperature,
      scratchBytes,
    });
    backward(logp, { gradient: tensor(on, s.w), retainGraph: true });
    backward(entropy, { gradient: tensor(on, s.u) });
    return { logp, entropy, lse, hit, dh: h.grad!.alias(), dw: weight.grad!.alias() };
  });
}

async function expectAgreement(
  on: Gpu,
  s: Setting,
  scratchBytes?: number,
  units = on.has.subgroupMatrix && !on.info.software,
): Promise<void> {
  // Matrix units round what gradients are products of to f16.
  const gradient = units && s.dtype !== 'f32' ? 5e-4 : 1e-5;
  const limits = { logp: 1e-5, entropy: 1e-5, lse: 1e-5, dh: gradient, dw: gradient };
  const expected = reference(s);
  const actual = run(on, s, scratchBytes);
  for (const name of ['logp', 'entropy', 'lse', 'dh', 'dw'] as const) {
    const error = relativeError(await actual[name].data(), expected[name]);
    const label = `${name} of ${JSON.stringify([s.T, s.D, s.V, s.dtype])}, tier ${on.tier}`;
    expect(error, label).toBeLessThan(limits[name]);
    actual[name].dispose();
  }
  expect(Array.from(await actual.hit.data())).toEqual(Array.from(expected.hit));
  actual.hit.dispose();
}

describe('tokenLogProbs', () => {
  test('on matrix units, weights in 16 bits and in 32', async ({ skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    const on = await testGpu('subgroup-matrix');
    for (const dtype of ['bf16', 'f32'] as const) {
      await onMatrixUnits(on, () => expectAgreement(on, setting(37, 40, 300, 0.8, dtype), 64 * 1024, true));
    }
  });

  test('random shapes and dtypes, in chunks and whole, forward and gradients', async () => {
    const shape = fc.record({
      T: fc.integer({ min: 1, max: 40 }),
      D: fc.integer({ min: 1, max: 40 }),
      V: fc.integer({ min: 2, max: 700 }),
      temperature: fc.constantFrom(1, 0.6, 1.7),
      dtype: fc.constantFrom<DType>('f32', 'f16', 'bf16'),
      scratchBytes: fc.constantFrom(1024, 64 * 1024, undefined),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ T, D, V, temperature, dtype, scratchBytes }) => {
        await expectAgreement(gpu, setting(T, D, V, temperature, dtype), scratchBytes);
      }),
      { numRuns: 12, seed: 21 },
    );
  });

  test.each([true, false])('every tier, software %s', async (software) => {
    for (const tier of await testTiers()) {
      const on = await testGpu(tier, { software });
      await expectAgreement(on, setting(20, 24, 3000, 0.9, 'bf16'), 1 << 16);
    }
  });

  test('weights over the binding limit, rows in blocks', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 1 << 16 });
    await expectAgreement(small, setting(300, 18, 1031, 1, 'bf16'), 1 << 16);
  });

  test('large logits neither overflow nor lose digits', async () => {
    const s = { ...setting(9, 16, 400), temperature: 0.02 };
    await expectAgreement(gpu, { ...s, u: s.u.map(() => 0) });
    const rows = run(gpu, { ...s, temperature: 1e-4 });
    for (const t of Object.values(rows)) expect((await t.data()).every(Number.isFinite)).toBe(true);
  });

  test('a hit is the first of the largest logits, whichever chunk it stands in', async () => {
    const [T, D, V] = [96, 3, 1500];
    // Small integers: float32 is exact and most rows have several largest logits, in one chunk and in different ones.
    const whole = (n: number, seed: number) => random(n, seed).map((x) => Math.round(1.5 * x));
    const [h, weight] = [whole(T * D, 31), whole(V * D, 32)];
    const picks = random(T, 33);
    const targets = new Int32Array(T);
    const expected = new Float32Array(T);
    for (let t = 0; t < T; t++) {
      const logits = Array.from({ length: V }, (_, v) =>
        weight.subarray(v * D, v * D + D).reduce((dot, x, d) => dot + x * h[t * D + d], 0),
      );
      const largest = Math.max(...logits);
      const ids = logits.flatMap((l, v) => (l === largest ? [v] : []));
      const other = Math.floor(((picks[t] + 1) / 2) * V);
      targets[t] = [ids[0], ids[1] ?? other, ids[ids.length - 1], other, -100][t % 5];
      expected[t] = targets[t] === ids[0] ? 1 : 0;
    }
    const hits = expected.reduce((a, b) => a + b, 0);
    expect(hits > T / 5 && hits < T / 2).toBe(true);
    for (const scratchBytes of [undefined, 4 * T * 256]) {
      tensor(gpu, new Float32Array(T).fill(Number.NaN), undefined, { purpose: 'scratch' }).dispose();
      const hit = scope(() => {
        const ids = fromHost(gpu, targets, [T], 'i32');
        return tokenLogProbs(tensor(gpu, h, [T, D]), tensor(gpu, weight, [V, D]), ids, { scratchBytes }).hit;
      });
      expect(await hit.data()).toEqual(expected);
      hit.dispose();
    }
  });

  test('agrees with PyTorch', async () => {
    const f = fixture('vocab');
    const out = scope(() => {
      const h = tensor(gpu, f.h.data, f.h.shape).requireGrad();
      const weight = tensor(gpu, f.weight.data, f.weight.shape).requireGrad();
      const targets = fromHost(gpu, f.targets.data, f.targets.shape, 'i32');
      const { logp, entropy, lse } = tokenLogProbs(h, weight, targets, { temperature: 0.7 });
      backward(logp, { gradient: tensor(gpu, f.w.data), retainGraph: true });
      backward(entropy, { gradient: tensor(gpu, f.u.data) });
      return { logp, entropy, lse, 'grad.h': h.grad!.alias(), 'grad.weight': weight.grad!.alias() };
    });
    for (const [name, t] of Object.entries(out)) await expectClose(t, f[name].data);
  });

  test('reruns are bit-identical', async () => {
    const s = setting(33, 20, 2000, 0.8, 'f16');
    const [a, b] = [run(gpu, s, 1 << 16), run(gpu, s, 1 << 16)];
    for (const name of ['logp', 'entropy', 'dh', 'dw'] as const) {
      expect(await a[name].data()).toEqual(await b[name].data());
    }
  });

  test('never holds all logits', async () => {
    const [T, V, scratchBytes] = [64, 20_000, 1 << 19];
    const s = setting(T, 4, V);
    const h = tensor(gpu, s.h, [T, 4]).requireGrad();
    const weight = tensor(gpu, s.weight, [V, 4]);
    const targets = fromHost(gpu, s.targets, [T], 'i32');
    const before = gpu.memory().liveTotal;
    gpu.resetPeakMemory();
    scope(() => {
      const { logp } = tokenLogProbs(h, weight, targets, { scratchBytes });
      backward(logp, { gradient: tensor(gpu, s.w) });
    });
    const peak = gpu.memory().peakTotal - before;
    expect(peak).toBeLessThan(4 * scratchBytes);
    expect(peak).toBeLessThan((4 * T * V) / 2);
    for (const t of [h, weight, targets]) t.dispose();
  });

  test('finite differences', async () => {
    const h = tensor(gpu, random(12, 7), [3, 4]).requireGrad();
    const weight = tensor(gpu, random(36, 8), [9, 4]).requireGrad();
    const targets = fromHost(gpu, Int32Array.of(2, 8, 0), [3], 'i32');
    await gradcheck((x, w) => tokenLogProbs(x, w, targets).logp, [h, weight]);
    await gradcheck((x, w) => tokenLogProbs(x, w, targets, { temperature: 0.5 }).entropy, [h, weight]);
    for (const t of [h, weight, targets]) t.dispose();
  });

  test('frozen weights get no gradient, and existing gradients are added to in place', async () => {
    const s = setting(10, 8, 300);
    const expected = reference({ ...s, u: s.u.map(() => 0) });
    const h = tensor(gpu, s.h, [s.T, s.D]).requireGrad();
    const weight = tensor(gpu, s.weight, [s.V, s.D]);
    const targets = fromHost(gpu, s.targets, [s.T], 'i32');
    const step = () =>
      scope(() => backward(tokenLogProbs(h, weight, targets).logp, { gradient: tensor(gpu, s.w) }));
    step();
    expect(weight.grad).toBeNull();
    weight.requireGrad();
    step();
    const buffer = weight.grad!.storage.buffer;
    step();
    expect(weight.grad!.storage.buffer).toBe(buffer);
    await expectClose(
      weight.grad!,
      expected.dw.map((x) => 2 * x),
    );
    for (const t of [h, weight, targets]) t.dispose();
  });

  test('says what is wrong with its arguments', () => {
    scope(() => {
      const h = tensor(gpu, random(8), [2, 4]);
      const weight = tensor(gpu, random(12), [3, 4]);
      const targets = fromHost(gpu, Int32Array.of(0, 1), [2], 'i32');
      expect(() => tokenLogProbs(h, tensor(gpu, random(9), [3, 3]), targets)).toThrow(
        'tokenLogProbs: weight f32[3, 3] does not fit hidden states [2, 4]; expected [vocabulary, 4]',
      );
      expect(() => tokenLogProbs(h, weight, tensor(gpu, [0, 1]))).toThrow('targets is f32[2], expected i32');
      expect(() => tokenLogProbs(h, weight, targets, { temperature: 0 })).toThrow('temperature is 0');
      expect(() => crossEntropy(h, weight, [0, 3])).toThrow(
        'crossEntropy: target 3 at position 1 is neither in 0..2 nor the ignored value -100',
      );
    });
  });
});

describe('crossEntropy', () => {
  test('agrees with PyTorch, ignored targets included', async () => {
    const f = fixture('vocab');
    const [loss, dh, dw] = scope(() => {
      const h = tensor(gpu, f.h.data, f.h.shape).requireGrad();
      const weight = tensor(gpu, f.weight.data, f.weight.shape).requireGrad();
      const result = crossEntropy(h, weight, f['ce.labels'].data);
      backward(result);
      return [result, h.grad!.alias(), weight.grad!.alias()];
    });
    expect(loss.shape).toEqual([]);
    await expectClose(loss, f['ce.loss'].data);
    await expectClose(dh, f['ce.grad.h'].data);
    await expectClose(dw, f['ce.grad.weight'].data);
  });

  test('sum, and an ignored value inside the vocabulary', async () => {
    const s = setting(40, 6, 50);
    const targets = s.targets.map((t, i) => (t < 0 ? 7 : i === 0 ? 7 : t));
    const { logp } = reference({ ...s, targets });
    const counted = Array.from(logp).filter((_, t) => targets[t] !== 7);
    const sum = -counted.reduce((a, b) => a + b, 0);
    const [total, mean] = scope(() => {
      const h = tensor(gpu, s.h, [s.T, s.D]);
      const weight = tensor(gpu, s.weight, [s.V, s.D]);
      return [
        crossEntropy(h, weight, targets, { ignoreIndex: 7, reduction: 'sum' }),
        crossEntropy(h, weight, targets, { ignoreIndex: 7 }),
      ];
    });
    await expectClose(total, [sum]);
    await expectClose(mean, [sum / counted.length]);
  });

  test('a foreign target on the device, or none that counts, gives NaN', async () => {
    const losses = scope(() => {
      const h = tensor(gpu, random(8), [2, 4]);
      const weight = tensor(gpu, random(12), [3, 4]);
      const on = (...ids: number[]) => fromHost(gpu, Int32Array.from(ids), [2], 'i32');
      return [crossEntropy(h, weight, on(0, 3)), crossEntropy(h, weight, on(-100, -100))];
    });
    for (const loss of losses) expect(await loss.item()).toBeNaN();
  });
});
