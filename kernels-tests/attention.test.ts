import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { backward, gradcheck, gradients } from '../src/autograd/index.js';
import { attention } from '../src/autograd/ops/attention.js';
import type { Gpu } from '../src/gpu/index.js';
import {
  type AttentionBackwardOptions,
  type AttentionVariant,
  attentionBackward,
  attentionForward,
  type Segment,
  Segments,
} from '../src/kernels/attention.js';
import { full } from '../src/kernels/elementwise.js';
import { scope, type Tensor, tensor, zeros } from '../src/tensor/index.js';
import {
  type AttentionInputs,
  type AttentionSizes,
  attentionInputs,
  referenceAttention,
} from './support/attention.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';

const VARIANTS: readonly AttentionVariant[] = ['wide', 'tile'];

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Leaves NaN in the pool's free buffers, where the next outputs come from. */
function poison(device: Gpu, ...sizes: readonly number[]): void {
  const dirty = sizes.map((size) => full(device, [size], Number.NaN, 'scratch'));
  for (const t of dirty) t.dispose();
}

/** What padding holds must not matter. */
function spoilPadding({ tokens }: AttentionSizes, inputs: AttentionInputs, list: readonly Segment[]): void {
  const used = new Uint8Array(tokens);
  for (const { start, end, prefixStart = 0, prefixEnd = 0 } of list) {
    used.fill(1, start, end);
    used.fill(1, prefixStart, prefixEnd);
  }
  for (const x of Object.values(inputs) as Float32Array[]) {
    const width = x.length / tokens;
    for (let row = 0; row < tokens; row++) if (!used[row]) x.fill(Number.NaN, row * width, (row + 1) * width);
  }
}

/** Runs forward and backward and compares with float64. */
async function check(
  sizes: AttentionSizes,
  list: readonly Segment[],
  options: AttentionBackwardOptions = {},
  device = gpu,
): Promise<void> {
  const { tokens, heads, kvHeads, dim } = sizes;
  const inputs = attentionInputs(sizes);
  spoilPadding(sizes, inputs, list);
  const { causal = true, scale, window } = options;
  const expected = referenceAttention(sizes, inputs, list, causal, scale, window);
  const segments = new Segments(device, tokens, list);
  const full = [tokens, heads, dim];
  const narrow = [tokens, kvHeads, dim];
  const results = scope(() => {
    const q = tensor(device, inputs.q, full);
    const k = tensor(device, inputs.k, narrow);
    const v = tensor(device, inputs.v, narrow);
    const gradOut = tensor(device, inputs.gradOut, full);
    poison(device, q.size, k.size, q.size, k.size, k.size, tokens * heads, 2 * tokens * heads);
    const forward = attentionForward(q, k, v, segments, options);
    return { ...forward, ...attentionBackward(gradOut, q, k, v, forward, segments, options) };
  });
  const padding = (x: number) => (x < -1e38 ? 0 : x);
  const lse = (await results.lse.data()).map(padding);
  expect(relativeError(lse, expected.lse), 'lse').toBeLessThan(1e-5);
  for (const name of ['out', 'dq', 'dk', 'dv'] as const) {
    const error = relativeError(await results[name]!.data(), expected[name]);
    // On matrix units gradients are products of numbers with 11 bits.
    const limit = options.variant === 'matrix' && name !== 'out' ? 5e-4 : 1e-5;
    expect(error, name).toBeLessThan(limit);
  }
  for (const t of Object.values(results)) t?.dispose();
  segments.dispose();
}

/** [T, H, Hkv, D] with the segments' ends; what each case is there for is in its name. */
const ONE: readonly Segment[] = [{ start: 0, end: 1 }];
const MIXED: readonly Segment[] = [
  { start: 0, end: 70 },
  { start: 70, end: 71 },
  { start: 75, end: 108 },
];
const LONG: readonly Segment[] = [
  { start: 0, end: 300 },
  { start: 300, end: 301 },
  { start: 301, end: 331 },
];
const SHARED: readonly Segment[] = [
  { start: 0, end: 37 },
  { start: 37, end: 38, prefixStart: 0, prefixEnd: 37 },
  { start: 38, end: 58, prefixStart: 0, prefixEnd: 37 },
  { start: 58, end: 93, prefixStart: 0, prefixEnd: 37 },
  { start: 94, end: 96 },
  { start: 96, end: 99, prefixStart: 94, prefixEnd: 96 },
];
/** Texts and pictures of a prompt, with two completions, and a sequence that begins with a picture. */
const PICTURES: readonly Segment[] = [
  { start: 0, end: 9 },
  { start: 9, end: 34, prefixStart: 0, prefixEnd: 9, whole: true },
  { start: 34, end: 36, prefixStart: 0, prefixEnd: 34 },
  { start: 36, end: 61, prefixStart: 0, prefixEnd: 36, whole: true },
  { start: 61, end: 70, prefixStart: 0, prefixEnd: 61 },
  { start: 70, end: 83, prefixStart: 0, prefixEnd: 70 },
  { start: 83, end: 103, prefixStart: 0, prefixEnd: 70 },
  { start: 104, end: 124, whole: true },
  { start: 124, end: 130, prefixStart: 104, prefixEnd: 124 },
];
/** Its keys are met by so many queries that workgroups share them. */
const CROWD: readonly Segment[] = [
  { start: 0, end: 20 },
  ...Array.from({ length: 7 }, (_, i) => ({
    start: 20 + 47 * i,
    end: 67 + 47 * i,
    prefixStart: 0,
    prefixEnd: 20,
  })),
];

/** Few, as each is another pipeline, which takes longer to compile than to run. */
const WINDOWS = [1, 7, 30, 1000];

describe.each(VARIANTS)('%s kernels', (variant) => {
  test.each([
    ['one token', { tokens: 1, heads: 2, kvHeads: 2, dim: 20 }, ONE],
    ['packed lengths with padding, GQA 7', { tokens: 110, heads: 7, kvHeads: 1, dim: 20 }, MIXED],
    ['shared prefixes, GQA 2', { tokens: 100, heads: 4, kvHeads: 2, dim: 20 }, SHARED],
    ['a prefix that workgroups share', { tokens: 349, heads: 2, kvHeads: 1, dim: 20 }, CROWD],
    ['long beside short', { tokens: 331, heads: 1, kvHeads: 1, dim: 20 }, LONG],
    ['dim 64', { tokens: 100, heads: 2, kvHeads: 1, dim: 64 }, SHARED],
    ['dim 80', { tokens: 100, heads: 1, kvHeads: 1, dim: 80 }, SHARED],
    ['dim 128', { tokens: 110, heads: 2, kvHeads: 1, dim: 128 }, MIXED],
  ] as const)('%s', async (_, sizes, list) => {
    await check(sizes, list, { variant });
    await check(sizes, list, { variant, causal: false, scale: 0.3 });
  });

  test('a window, and pictures whose tokens see one another', async () => {
    const sizes = { tokens: 132, heads: 4, kvHeads: 2, dim: 20 };
    await check(sizes, PICTURES, { variant });
    for (const window of WINDOWS) await check(sizes, PICTURES, { variant, window });
    await check({ ...sizes, tokens: 349 }, CROWD, { variant, window: 30 });
    await check({ ...sizes, tokens: 331 }, LONG, { variant, window: 7, causal: false });
  });

  test('does not touch what is before the window', async () => {
    const sizes = { tokens: 400, heads: 1, kvHeads: 1, dim: 20 };
    const inputs = attentionInputs(sizes);
    // Would be in every sum that has it times zero: no block of 64 that is met from row 200 on begins before row 100.
    for (const x of [inputs.k, inputs.v, inputs.q, inputs.gradOut]) x.fill(Number.NaN, 0, 100 * 20);
    const segments = Segments.fromLengths(gpu, [400]);
    const options = { variant, window: 30 };
    const found = scope(() => {
      const [q, k, v, g] = [inputs.q, inputs.k, inputs.v, inputs.gradOut].map((x) =>
        tensor(gpu, x, [400, 1, 20]),
      );
      const forward = attentionForward(q, k, v, segments, options);
      return { ...forward, ...attentionBackward(g, q, k, v, forward, segments, options) };
    });
    for (const name of ['out', 'dq', 'dk', 'dv'] as const) {
      const rows = (await found[name]!.data()).subarray(200 * 20);
      expect(rows.every(Number.isFinite), name).toBe(true);
    }
    for (const t of [...Object.values(found), segments]) t?.dispose();
  });

  test('any segments', async () => {
    const span = fc.record({
      gap: fc.integer({ min: 0, max: 2 }),
      length: fc.integer({ min: 1, max: 40 }),
      prefix: fc.option(fc.tuple(fc.nat({ max: 99 }), fc.nat({ max: 99 }))),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(span, { minLength: 1, maxLength: 5 }),
        fc.constantFrom([2, 2], [4, 2], [3, 1]),
        fc.boolean(),
        fc.constantFrom(undefined, ...WINDOWS),
        async (spans, [heads, kvHeads], causal, window) => {
          let next = 0;
          const list = spans.map(({ gap, length, prefix }) => {
            const start = next + gap;
            // Any earlier tokens may be the prefix, even part of a segment or padding.
            const [a, b] = (prefix ?? [0, 0]).map((x) => x % (start + 1)).sort((x, y) => x - y);
            next = start + length;
            return { start, end: next, prefixStart: a, prefixEnd: b };
          });
          const sizes = { tokens: next + spans[0].gap, heads, kvHeads, dim: 20 };
          await check(sizes, list, { variant, causal, window });
        },
      ),
      { numRuns: 8, seed: 11 },
    );
  });

  test('a NaN in a query stays in its row', async () => {
    const sizes = { tokens: 80, heads: 1, kvHeads: 1, dim: 20 };
    const { q, k, v } = attentionInputs(sizes);
    q[33 * 20 + 7] = Number.NaN;
    const segments = Segments.fromLengths(gpu, [80]);
    const { out, lse } = scope(() => {
      const [tq, tk, tv] = [q, k, v].map((x) => tensor(gpu, x, [80, 1, 20]));
      return attentionForward(tq, tk, tv, segments, { variant });
    });
    const data = await out.data();
    for (let row = 0; row < 80; row++) expect(Number.isNaN(data[row * 20 + 3])).toBe(row === 33);
    // Infinite where exp of NaN is, as on SwiftShader.
    expect((await lse.data())[33]).not.toSatisfy(Number.isFinite);
    for (const t of [out, lse, segments]) t.dispose();
  });

  test('reruns are bit-identical', async () => {
    const sizes = { tokens: 100, heads: 4, kvHeads: 2, dim: 20 };
    const inputs = attentionInputs(sizes);
    const run = () =>
      scope(() => {
        const segments = new Segments(gpu, sizes.tokens, SHARED);
        const [q, gradOut] = [inputs.q, inputs.gradOut].map((x) => tensor(gpu, x, [100, 4, 20]));
        const [k, v] = [inputs.k, inputs.v].map((x) => tensor(gpu, x, [100, 2, 20]));
        const forward = attentionForward(q, k, v, segments, { variant });
        const result = attentionBackward(gradOut, q, k, v, forward, segments, { variant });
        segments.dispose();
        return [...Object.values(forward), ...Object.values(result)] as Tensor[];
      });
    const [first, second] = [run(), run()];
    for (const [i, t] of first.entries()) expect(await t.raw()).toEqual(await second[i].raw());
    for (const t of [...first, ...second]) t.dispose();
  });
});

test('dim 256 takes the tile kernels on every adapter', async () => {
  const sizes = { tokens: 40, heads: 1, kvHeads: 1, dim: 256 };
  const list = [{ start: 0, end: 35 }];
  await check(sizes, list);
  await check(sizes, list, { window: 9 });
  await expect(check(sizes, list, { variant: 'wide' })).rejects.toThrow('over the 128 of the wide variant');
});

/**
 * Few shapes, as llvmpipe compiles a matrix kernel for seconds, those of 128 for over 10: it is what published models have. 80 is
 * padded in columns but not in rows, 20 in both.
 */
describe('matrix units', () => {
  test.for([
    ['shared prefixes, dim 20', { tokens: 100, heads: 4, kvHeads: 2, dim: 20 }, SHARED],
    ['a prefix that workgroups share, dim 20', { tokens: 349, heads: 2, kvHeads: 1, dim: 20 }, CROWD],
    ['packed lengths with padding, GQA 7, dim 80', { tokens: 110, heads: 7, kvHeads: 1, dim: 80 }, MIXED],
    ['long beside short, dim 128', { tokens: 331, heads: 1, kvHeads: 1, dim: 128 }, LONG],
  ] as const)('%s', async ([_, sizes, list], { skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    await check(sizes, list, { variant: 'matrix' });
    await check(sizes, list, { variant: 'matrix', causal: false, scale: 0.3 });
  });

  test('a window, and pictures whose tokens see one another', async ({ skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    const sizes = { tokens: 132, heads: 2, kvHeads: 1, dim: 20 };
    for (const window of [undefined, 7, 30]) await check(sizes, PICTURES, { variant: 'matrix', window });
  });

  test('numbers that f16 does not hold, and scores that grow from block to block', async ({ skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    const sizes = { tokens: 90, heads: 2, kvHeads: 2, dim: 20 };
    const { q, k, v, gradOut } = attentionInputs(sizes);
    const inputs = {
      q: q.map((x) => 3e7 * x),
      // The later the key, the larger its scores, of either sign.
      k: k.map((x, i) => 1e-8 * Math.floor(i / 40) * x),
      v: v.map((x) => 1e-12 * x),
      gradOut,
    };
    const segments = Segments.fromLengths(gpu, [90]);
    const { out, lse } = scope(() => {
      const [tq, tk, tv] = [inputs.q, inputs.k, inputs.v].map((x) => tensor(gpu, x, [90, 2, 20]));
      return attentionForward(tq, tk, tv, segments, { variant: 'matrix' });
    });
    const expected = referenceAttention(sizes, inputs, [{ start: 0, end: 90 }], true);
    await expectClose(out, expected.out, 1e-5);
    await expectClose(lse, expected.lse, 1e-5);
    for (const t of [out, lse, segments]) t.dispose();
  });

  test('a NaN or infinity stays where it is seen', async ({ skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    const { q, k, v } = attentionInputs({ tokens: 80, heads: 1, kvHeads: 1, dim: 20 });
    q[33 * 20 + 7] = Number.NaN;
    v[75 * 20 + 1] = Number.POSITIVE_INFINITY;
    const segments = Segments.fromLengths(gpu, [73, 7]);
    const { out } = scope(() => {
      const [tq, tk, tv] = [q, k, v].map((x) => tensor(gpu, x, [80, 1, 20]));
      const result = attentionForward(tq, tk, tv, segments, { variant: 'matrix' });
      result.lse.dispose();
      return result;
    });
    const data = await out.data();
    for (let row = 0; row < 80; row++) expect(Number.isNaN(data[row * 20 + 3])).toBe(row === 33 || row >= 75);
    for (const t of [out, segments]) t.dispose();
  });
});

test('the wide backward in small portions of heads and rows', async () => {
  const sizes = { tokens: 100, heads: 4, kvHeads: 2, dim: 20 };
  // The widest rows see 37 + 35 keys; two query heads share a key head.
  const row = 4 * 2 * 72;
  for (const scratchBytes of [100 * row, 33 * row, row]) {
    await check(sizes, SHARED, { variant: 'wide', scratchBytes });
  }
});

test('batches over the binding limit are processed in pieces', async () => {
  const small = await testGpu(undefined, { maxBindingBytes: 1 << 16 });
  const lengths = [40, 90, 30, 100, 60, 60, 1, 33];
  let next = 3;
  const list: Segment[] = lengths.map((length) => {
    next += length;
    return { start: next - length, end: next };
  });
  list[4] = { ...list[4], prefixStart: list[3].start, prefixEnd: list[3].end };
  const sizes = { tokens: next + 150, heads: 4, kvHeads: 2, dim: 20 };
  for (const variant of VARIANTS) await check(sizes, list, { variant }, small);
  // One segment that is larger than a binding, which holds more where bindings start further apart.
  const long = 300 * (small.maxBindingBytes >> 16);
  const one = Segments.fromLengths(small, [long]);
  const x = zeros(small, [long, 4, 20]);
  expect(() => attentionForward(x, x, x, one)).toThrow(`tokens [0, ${long}) attend to one another`);
  x.dispose();
});

test('agrees with PyTorch', async () => {
  const cases = fixture('attention');
  const names = new Set(Object.keys(cases).map((key) => key.split('.')[0]));
  expect(names.size).toBeGreaterThan(2);
  for (const name of names) {
    const at = (key: string) => cases[`${name}.${key}`];
    const table = at('segments');
    const list = Array.from({ length: table.shape[0] }, (_, i) => {
      const [start, end, prefixStart, prefixEnd] = table.data.slice(4 * i, 4 * i + 4);
      return { start, end, prefixStart, prefixEnd };
    });
    const causal = at('causal').data[0] !== 0;
    const results = scope(() => {
      const load = (key: string) => tensor(gpu, at(key).data, at(key).shape);
      const [q, k, v] = ['q', 'k', 'v'].map((key) => load(key).requireGrad());
      const segments = new Segments(gpu, at('q').shape[0], list);
      const y = attention(q, k, v, segments, { causal });
      const grads = gradients(y, [q, k, v], { gradient: load('gradOut') });
      segments.dispose();
      return [y, ...grads];
    });
    for (const [i, key] of ['out', 'grad.q', 'grad.k', 'grad.v'].entries()) {
      await expectClose(results[i], at(key).data, 1e-5);
      results[i].dispose();
    }
  }
});

describe('autograd', () => {
  test('gradcheck, and frozen inputs', async () => {
    const segments = Segments.fromGroups(gpu, [{ prompt: 5, completions: [3, 2] }]);
    const [q, k, v] = [1, 2, 3].map((seed) =>
      tensor(gpu, random(10 * 2 * 20, seed), [10, 2, 20]).requireGrad(),
    );
    await gradcheck((a, b, c) => attention(a, b, c, segments), [q, k, v], { samples: 8 });
    v.requireGrad(false);
    await gradcheck((a, b, c) => attention(a, b, c, segments, { causal: false }), [q, k, v], { samples: 4 });
    k.requireGrad(false);
    await gradcheck((a, b, c) => attention(a, b, c, segments), [q, k, v], { samples: 4 });
    for (const t of [q, k, v]) t.dispose();
    segments.dispose();
  });

  test('a shared prompt has the gradients of naive copies', async () => {
    const [prompt, lengths, heads, kvHeads, dim] = [21, [9, 1, 14], 4, 2, 20];
    const tokens = prompt + lengths.reduce((a, b) => a + b);
    const inputs = attentionInputs({ tokens, heads, kvHeads, dim });
    /** Rows of the shared batch that make up copy `g`. */
    const rowsOf = (g: number) => {
      const from = prompt + lengths.slice(0, g).reduce((a, b) => a + b, 0);
      return [...Array(prompt).keys(), ...Array.from({ length: lengths[g] }, (_, i) => from + i)];
    };
    const order = lengths.flatMap((_, g) => rowsOf(g));
    const pick = (x: Float32Array) => {
      const width = x.length / tokens;
      return Float32Array.from(order.flatMap((row) => [...x.subarray(row * width, (row + 1) * width)]));
    };
    // The prompt's own outputs count once in the shared batch: give their gradient to the first copy only.
    const gradOut = pick(inputs.gradOut);
    gradOut.fill(0, (prompt + lengths[0]) * heads * dim);
    let at = 0;
    for (const length of lengths) {
      const rows = order.slice(at, at + prompt + length);
      rows.forEach((row, i) => {
        if (row < prompt) return;
        const width = heads * dim;
        gradOut.set(inputs.gradOut.subarray(row * width, (row + 1) * width), (at + i) * width);
      });
      at += prompt + length;
    }
    const run = (data: readonly Float32Array[], gradient: Float32Array, segments: Segments, n: number) =>
      scope(() => {
        const [q, k, v] = data.map((x) => tensor(gpu, x, [n, x.length / n / dim, dim]).requireGrad());
        const y = attention(q, k, v, segments);
        return gradients(y, [q, k, v], { gradient: tensor(gpu, gradient, [n, heads, dim]) });
      });
    const sharing = Segments.fromGroups(gpu, [{ prompt, completions: lengths }]);
    const copies = Segments.fromLengths(
      gpu,
      lengths.map((length) => prompt + length),
    );
    expect(sharing.attended(true)).toBeLessThan(copies.attended(true));
    const data = [inputs.q, inputs.k, inputs.v];
    const together = run(data, inputs.gradOut, sharing, tokens);
    const apart = run(data.map(pick), gradOut, copies, order.length);
    for (const [i, t] of together.entries()) {
      const width = data[i].length / tokens;
      const summed = new Float64Array(data[i].length);
      const copied = await apart[i].data();
      order.forEach((row, n) => {
        for (let d = 0; d < width; d++) summed[row * width + d] += copied[n * width + d];
      });
      await expectClose(t, summed, 1e-5);
    }
    for (const t of [...together, ...apart]) t.dispose();
    sharing.dispose();
    copies.dispose();
  });

  test('memory returns to where it was', () => {
    const segments = Segments.fromLengths(gpu, [16]);
    const x = tensor(gpu, random(16 * 20), [16, 1, 20]).requireGrad();
    const step = () => {
      scope(() => backward(attention(x, x, x, segments), { gradient: x }));
      return gpu.memory().liveTotal;
    };
    step();
    const before = step();
    expect(step()).toBe(before);
    x.dispose();
    segments.dispose();
  });
});

describe('mistakes are explained', () => {
  const zeros = (...shape: number[]) => tensor(gpu, new Float32Array(shape.reduce((a, b) => a * b)), shape);

  test('segments', () => {
    const make = (...list: Segment[]) => new Segments(gpu, 10, list);
    expect(() => make({ start: 0, end: 11 })).toThrow('[0, 11) is empty or outside the 10 tokens');
    expect(() => make({ start: 3, end: 3 })).toThrow('[3, 3) is empty');
    expect(() => make({ start: 0.5, end: 3 })).toThrow('not an integer');
    expect(() => make({ start: 0, end: 5 }, { start: 4, end: 6 })).toThrow('[0, 5) overlaps [4, 6)');
    expect(() => make({ start: 2, end: 5, prefixStart: 0, prefixEnd: 3 })).toThrow('overlaps its own prefix');
    expect(() => make({ start: 2, end: 5, prefixStart: 5, prefixEnd: 11 })).toThrow('outside the 10 tokens');
    expect(() => Segments.fromLengths(gpu, [4, 0])).toThrow('length 1 is 0');
    expect(() => Segments.fromLengths(gpu, [4, 6], 5)).toThrow(
      'length 1 is 6, expected a positive integer of at most 5',
    );
    expect(() => Segments.fromLengths(gpu, [])).toThrow('number of tokens is 0');
    expect(() => Segments.fromGroups(gpu, [{ prompt: 3, completions: [2, -1] }])).toThrow(
      'completion 1 of group 0 has length -1',
    );
    const ahead = make({ start: 2, end: 5, prefixStart: 5, prefixEnd: 8 });
    const x = zeros(10, 1, 4);
    expect(() => attentionForward(x, x, x, ahead, { window: 3 })).toThrow('has its prefix behind it');
    expect(() => attentionForward(x, x, x, ahead, { window: 0 })).toThrow('the window is 0; it must be');
    for (const t of [ahead, x]) t.dispose();
    const gone = make({ start: 0, end: 10 });
    gone.dispose();
    expect(() =>
      scope(() => attentionForward(zeros(10, 2, 20), zeros(10, 2, 20), zeros(10, 2, 20), gone)),
    ).toThrow('used after they were disposed');
  });

  test('shapes, dtypes and options', () => {
    const segments = Segments.fromLengths(gpu, [10]);
    const run = (q: Tensor, k = q, v = k, options = {}) => attentionForward(q, k, v, segments, options);
    scope(() => {
      expect(() => run(zeros(9, 2, 20))).toThrow('q is f32[9, 2, 20], expected shape [10, ?, ?]');
      expect(() => run(zeros(10, 40))).toThrow('expected shape [10, ?, ?]');
      expect(() => run(zeros(10, 3, 20), zeros(10, 2, 20))).toThrow('3 query heads are not a multiple of 2');
      expect(() => run(zeros(10, 2, 20), zeros(10, 2, 24))).toThrow(
        'k is f32[10, 2, 24], expected shape [10, ?, 20]',
      );
      expect(() => run(zeros(10, 2, 20), zeros(10, 2, 20), zeros(10, 1, 20))).toThrow('v is f32[10, 1, 20]');
      expect(() => run(zeros(10, 2, 18))).toThrow('head dimension 18 is not a multiple of 4 up to 256');
      expect(() => run(zeros(10, 2, 260))).toThrow('head dimension 260');
      expect(() => run(zeros(10, 2, 20), undefined, undefined, { scale: Number.NaN })).toThrow(
        'scale is NaN',
      );
      const half = tensor(gpu, new Float32Array(400), [10, 2, 20], { dtype: 'f16' });
      expect(() => run(half)).toThrow('q is f16[10, 2, 20], expected f32');
    });
    segments.dispose();
  });
});
