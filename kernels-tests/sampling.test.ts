import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { concat } from '../src/kernels/layout.js';
import { matmul } from '../src/kernels/matmul.js';
import {
  markSeen,
  randomCounters,
  type SamplingOptions,
  sample,
  samplingRows,
  seenTokens,
  tokenMask,
} from '../src/kernels/sampling.js';
import { tokenStatistics } from '../src/kernels/vocab.js';
import { fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';
import { referenceSample } from './support/sampling.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

interface Run {
  readonly rows: number;
  readonly vocab: number;
  readonly logits: Float32Array;
  readonly options?: SamplingOptions;
  readonly seed?: number;
  readonly step?: number;
  readonly seen?: readonly (readonly number[])[];
  readonly forbidden?: readonly number[];
}

/** Samples every row once; row b uses stream b and position 5. */
async function draw(on: Gpu, run: Run) {
  const { rows, vocab, seed = 1, step = 0 } = run;
  for (const size of [rows, rows * vocab]) tensor(on, new Float32Array(size).fill(Number.NaN)).dispose();
  const out = scope(() => {
    const logits = tensor(on, run.logits, [rows, vocab]);
    const counters = randomCounters(
      on,
      Array.from({ length: rows }, (_, stream) => ({ stream, step, position: 5 })),
    );
    let seen: Tensor | undefined;
    if (run.seen) {
      seen = seenTokens(on, rows, vocab);
      const flat = Int32Array.from(run.seen.flat());
      markSeen(seen, fromHost(on, flat, [rows, flat.length / rows], 'i32'), vocab);
    }
    const forbidden = run.forbidden && tokenMask(on, vocab, run.forbidden);
    return { ...sample({ logits, counters, seed, seen, forbidden }, run.options), counters };
  });
  const result = {
    tokens: Array.from(await out.tokens.data()),
    logp: await out.logp.data(),
    rawLogp: await out.rawLogp.data(),
    counters: await out.counters.raw(),
  };
  for (const t of Object.values(out)) t.dispose();
  return result;
}

/** Compares every row with the float64 reference; returns how many tokens the survivors were, on average. */
async function expectReference(on: Gpu, run: Run): Promise<number> {
  const actual = await draw(on, run);
  const { rows, vocab, seed = 1, step = 0, options = {} } = run;
  let kept = 0;
  for (let b = 0; b < rows; b++) {
    const expected = referenceSample({
      logits: run.logits.subarray(b * vocab, (b + 1) * vocab),
      options,
      seed,
      stream: b,
      step,
      position: 5,
      seen: run.seen && new Set(run.seen[b]),
      forbidden: run.forbidden && new Set(run.forbidden),
    });
    kept += expected.kept / rows;
    const label = `row ${b} of ${JSON.stringify({ rows, vocab, options })}`;
    if (expected.margin < 1e-5) continue;
    expect(actual.tokens[b], label).toBe(expected.token);
    expect(Math.abs(actual.logp[b] - expected.logp), label).toBeLessThan(5e-6);
    expect(Math.abs(actual.rawLogp[b] - expected.rawLogp), label).toBeLessThan(5e-6);
  }
  return kept;
}

/** Logits with many exact ties. */
function tiedLogits(size: number, seed: number): Float32Array {
  return random(size, seed).map((x) => Math.round(8 * x) / 2);
}

describe('sample', () => {
  const arbitrary = fc.record({
    rows: fc.integer({ min: 1, max: 9 }),
    vocab: fc.integer({ min: 1, max: 500 }),
    tied: fc.boolean(),
    step: fc.integer({ min: 0, max: 100 }),
    options: fc.record({
      temperature: fc.constantFrom(0, 0.6, 1, 1.4),
      topK: fc.constantFrom(0, 0, 1, 7, 60),
      topP: fc.constantFrom(1, 1, 0.93, 0.4, 1e-7, 0),
      minP: fc.constantFrom(0, 0, 0.02, 0.5, 1),
      minTokensToKeep: fc.constantFrom(1, 1, 3),
      repetitionPenalty: fc.constantFrom(1, 1.3, 0.8),
    }),
    forbid: fc.boolean(),
  });

  test('chooses as a float64 reference does with the same random numbers', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ rows, vocab, tied, step, options, forbid }) => {
        const logits = tied ? tiedLogits(rows * vocab, 1) : random(rows * vocab, 2).map((x) => 5 * x);
        const ids = (seed: number) => Array.from(random(9, seed), (x) => Math.floor(((x + 1) / 2) * vocab));
        // At least one token stays allowed.
        const forbidden = forbid ? ids(99).filter((id) => id !== 0) : undefined;
        const seen = Array.from({ length: rows }, (_, b) => ids(b));
        await expectReference(gpu, { rows, vocab, logits, options, step, seen, forbidden });
      }),
      { numRuns: 60, seed: 31 },
    );
  });

  test('a vocabulary of 151936', async () => {
    const vocab = 151_936;
    const logits = random(3 * vocab, 3).map((x) => 9 * x ** 3);
    const run = { rows: 3, vocab, logits };
    await expectReference(gpu, run);
    const kept = await expectReference(gpu, { ...run, options: { temperature: 0.8, topK: 5000, topP: 0.9 } });
    expect(kept).toBeGreaterThan(100);
  });

  test.each([true, false])('every tier, software %s', async (software) => {
    const run = { rows: 4, vocab: 3001, logits: tiedLogits(4 * 3001, 4) };
    for (const tier of await testTiers()) {
      const on = await testGpu(tier, { software });
      await expectReference(on, run);
      await expectReference(on, { ...run, options: { topK: 900, topP: 0.7, minTokensToKeep: 2 } });
      await expectReference(on, { ...run, options: { temperature: 0 } });
    }
  });

  test('logits over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 1 << 16 });
    const [rows, vocab] = [300, 130];
    const seen = Array.from({ length: rows }, (_, b) => [b % vocab]);
    const options = { topP: 0.8, repetitionPenalty: 1.4 };
    await expectReference(small, { rows, vocab, logits: random(rows * vocab, 5), options, seen });
  });

  test('leaves what Hugging Face leaves', async () => {
    const f = fixture('sampling');
    const [B, V] = f.logits.shape;
    const [configs, width] = f.configs.shape;
    const copies = 24;
    for (let i = 0; i < configs; i++) {
      const config = f.configs.data.subarray(i * width, (i + 1) * width);
      const [temperature, topK, topP, minP, repetitionPenalty, minTokensToKeep, forbid] = config;
      const options = { temperature, topK, topP, minP, repetitionPenalty, minTokensToKeep };
      const repeat = <T>(rows: readonly T[]) => Array.from({ length: copies }, () => rows).flat();
      const logits = new Float32Array(copies * B * V);
      for (let c = 0; c < copies; c++) logits.set(f.logits.data, c * B * V);
      const history = Array.from({ length: B }, (_, b) => [...f.history.data.subarray(b * 12, b * 12 + 12)]);
      const forbidden = forbid ? [...f.forbidden.data] : undefined;
      const run = { rows: copies * B, vocab: V, logits, options, seen: repeat(history), forbidden, step: i };
      const { tokens, logp } = await draw(gpu, run);
      tokens.forEach((token, row) => {
        const all = f[`processed.${i}`].data as Float32Array;
        const processed = all.subarray((row % B) * V, ((row % B) + 1) * V);
        const largest = processed.reduce((a, b) => Math.max(a, b));
        const lse = largest + Math.log(processed.reduce((sum, x) => sum + Math.exp(x - largest), 0));
        // Among equal logits at the edge of top-p PyTorch's sort decides which one stays; the values must agree.
        const near = Math.min(...Array.from(processed, (x) => Math.abs(x - lse - logp[row])));
        expect(near, `config ${i}, row ${row}`).toBeLessThan(2e-5);
        if (row % B !== 1)
          expect(processed[token] - lse, `config ${i}, row ${row}`).toBeCloseTo(logp[row], 4);
      });
    }
  });

  test.each([
    { name: 'plain', options: {}, forbidden: undefined },
    { name: 'filtered', options: { temperature: 1.5, topP: 0.9, topK: 15 }, forbidden: [3] },
  ])('draws in proportion ($name)', async ({ options, forbidden }) => {
    const [rows, vocab] = [20_000, 20];
    const one = random(vocab, 6).map((x) => 2 * x);
    const logits = new Float32Array(rows * vocab);
    for (let b = 0; b < rows; b++) logits.set(one, b * vocab);
    const { tokens, logp } = await draw(gpu, { rows, vocab, logits, options, forbidden });
    const counts = new Map<number, number>();
    const probability = new Map<number, number>();
    tokens.forEach((token, b) => {
      counts.set(token, (counts.get(token) ?? 0) + 1);
      probability.set(token, Math.exp(logp[b]));
    });
    expect(counts.has(3)).toBe(forbidden === undefined);
    expect([...probability.values()].reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    let chi2 = 0;
    for (const [token, n] of counts) {
      const expected = rows * probability.get(token)!;
      chi2 += (n - expected) ** 2 / expected;
    }
    // 99.9th percentile of the chi-square distribution with 19 degrees of freedom.
    expect(chi2).toBeLessThan(43.8);
  });

  test('edge cases: one token allowed, none, NaN, ties of the largest', async () => {
    const vocab = 70;
    const all = Array.from({ length: vocab }, (_, v) => v);
    const logits = random(2 * vocab, 7);
    const one = await draw(gpu, { rows: 2, vocab, logits, forbidden: all.filter((v) => v !== 41) });
    expect(one.tokens).toEqual([41, 41]);
    expect([...one.logp]).toEqual([0, 0]);
    for (const options of [{}, { topP: 0.5 }, { temperature: 0 }]) {
      const none = await draw(gpu, { rows: 2, vocab, logits, options, forbidden: all });
      expect(none.tokens).toEqual([-1, -1]);
      expect([...none.logp, ...none.rawLogp].every(Number.isNaN)).toBe(true);
      const spoiled = logits.slice();
      spoiled[vocab + 69] = Number.NaN;
      const bad = await draw(gpu, { rows: 2, vocab, logits: spoiled, options });
      expect(bad.tokens[0]).toBeGreaterThanOrEqual(0);
      expect(bad.tokens[1]).toBe(-1);
    }
    const tied = new Float32Array(2 * vocab).fill(-3);
    tied.set([7, 7], 30);
    tied.set([7, 7], vocab + 68);
    const greedy = await draw(gpu, { rows: 2, vocab, logits: tied, options: { temperature: 0 } });
    expect(greedy.tokens).toEqual([30, 68]);
    const top = await draw(gpu, { rows: 2, vocab, logits: tied, options: { topP: 1e-9 } });
    expect(top.tokens).toEqual([30, 68]);
    const minus = logits.map((x, i) => (i % vocab === 5 ? x : Number.NEGATIVE_INFINITY));
    expect((await draw(gpu, { rows: 2, vocab, logits: minus })).tokens).toEqual([5, 5]);
  });

  test('reruns are bit-identical; seed, step, stream and position change the draw', async () => {
    const run = { rows: 64, vocab: 1000, logits: new Float32Array(64 * 1000) };
    const first = await draw(gpu, run);
    expect(await draw(gpu, run)).toEqual(first);
    expect(new Set(first.tokens).size).toBeGreaterThan(50);
    for (const other of [{ seed: 2 }, { step: 1 }]) {
      const tokens = (await draw(gpu, { ...run, ...other })).tokens;
      expect(tokens.filter((t, b) => t === first.tokens[b]).length).toBeLessThan(5);
    }
  });

  test('a recorded step can be replayed: positions advance and drawn tokens join the history', async () => {
    const vocab = 50;
    const logits = tensor(gpu, new Float32Array(vocab), [1, vocab]);
    const counters = randomCounters(gpu, [{ stream: 0, step: 0, position: 0 }]);
    const seen = seenTokens(gpu, 1, vocab);
    // So strong a penalty that no token is drawn twice.
    logits.write(new Float32Array(vocab).fill(-1));
    const options = { repetitionPenalty: 1000 };
    const { recording, result } = gpu.record(() => sample({ logits, counters, seed: 3, seen }, options));
    const drawn = [await result.tokens.item()];
    for (let i = 1; i < vocab; i++) {
      recording.replay();
      drawn.push(await result.tokens.item());
    }
    expect(new Set(drawn).size).toBe(vocab);
    expect((await counters.raw())[0]).toBe(vocab);
    expect(await seen.raw()).toEqual(Uint32Array.of(0xffffffff, 0x3ffff));
    recording.dispose();
  });

  test.each([true, false])('reports the log-probability of a trainer, software %s', async (software) => {
    const [T, D, V] = [24, 32, 5000];
    const on = await testGpu((await testTiers()).at(-1), { software });
    const [rawLogp, logp] = scope(() => {
      const h = tensor(on, random(T * D, 8), [T, D]);
      const weight = tensor(on, random(V * D, 9), [V, D], { dtype: 'bf16' });
      // A decode step has few rows and takes matrix-vector products; those of a trainer may go to matrix units.
      const draws = [0, 12].map((first) => {
        const streams = Array.from({ length: 12 }, (_, row) => ({
          stream: first + row,
          step: 0,
          position: 0,
        }));
        const logits = matmul(h.alias([12, D], 4 * first * D), weight, { transposeB: true });
        const counters = randomCounters(on, streams);
        return sample({ logits, counters, seed: 5 }, { temperature: 0.7, topK: 40 });
      });
      const targets = concat([draws[0].tokens, draws[1].tokens], 0);
      const trained = tokenStatistics({ h, weight, targets, temperature: 0.7, scratchBytes: 1 << 16 });
      return [concat([draws[0].rawLogp, draws[1].rawLogp], 0), trained.logp];
    });
    const [a, b] = [await rawLogp.data(), await logp.data()];
    for (let t = 0; t < T; t++) expect(Math.abs(a[t] - b[t])).toBeLessThan(5e-6);
    for (const t of [rawLogp, logp]) t.dispose();
  });

  test('rows with settings of their own draw what they draw alone', async () => {
    const vocab = 70;
    const settings: (SamplingOptions & { seed: number })[] = [
      { seed: 1, temperature: 0 },
      { seed: 2, temperature: 0.7, topK: 5 },
      { seed: 3, topP: 0.6 },
      { seed: 4, temperature: 1.5, minP: 0.2, repetitionPenalty: 1.7 },
      { seed: 2 ** 40 + 5 },
    ];
    const logits = random(settings.length * vocab, 21).map((x) => 3 * x);
    const run = (rows: readonly number[]) =>
      scope(() => {
        const own = rows.flatMap((r) => [...logits.subarray(r * vocab, (r + 1) * vocab)]);
        const counters = randomCounters(
          gpu,
          rows.map((stream) => ({ stream, step: 2, position: 1 })),
        );
        const seen = seenTokens(gpu, rows.length, vocab);
        const history = rows.flatMap((r) => [3 * r, 7, 50]);
        markSeen(seen, fromHost(gpu, Int32Array.from(history), [rows.length, 3], 'i32'), vocab);
        const state = { logits: tensor(gpu, own, [rows.length, vocab]), counters, seen };
        const forbidden = tokenMask(gpu, vocab, [0, 69]);
        const table = samplingRows(
          gpu,
          rows.map((r) => settings[r]),
        );
        return sample({ ...state, forbidden }, table);
      });
    const together = run([0, 1, 2, 3, 4]);
    for (let r = 0; r < settings.length; r++) {
      const alone = run([r]);
      for (const name of ['tokens', 'logp', 'rawLogp'] as const) {
        expect((await together[name].data())[r]).toBe((await alone[name].data())[0]);
      }
    }
  });

  test('says what is wrong with its arguments', () => {
    scope(() => {
      const logits = tensor(gpu, random(40), [1, 40]);
      const counters = randomCounters(gpu, [{ stream: 0, step: 0, position: 0 }]);
      const state = { logits, counters, seed: 1 };
      const wrong: [SamplingOptions, string][] = [
        [{ temperature: -1 }, 'sample: temperature is -1; it must be a number >= 0'],
        [{ topK: 1.5 }, 'sample: topK is 1.5; it must be an integer >= 0'],
        [{ topP: 1.1 }, 'sample: topP is 1.1; it must be in [0, 1]'],
        [{ minP: Number.NaN }, 'sample: minP is NaN'],
        [{ repetitionPenalty: 0 }, 'sample: repetitionPenalty is 0'],
        [{ repetitionPenalty: 2 }, 'a repetition penalty needs the token history'],
      ];
      for (const [options, message] of wrong) expect(() => sample(state, options)).toThrow(message);
      const mask = tokenMask(gpu, 70, [1]);
      expect(() => sample({ ...state, forbidden: mask })).toThrow('forbidden is u32[3], expected shape [2]');
      expect(() => tokenMask(gpu, 70, [70])).toThrow('tokenMask: token id 70 is not in 0..69');
    });
  });
});
