/** Deterministic scatter-add of rows, which gathers and embeddings have as their gradient. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { scatterAddRows } from '../src/kernels/scatter.js';
import { fromHost, scope, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';
import { randomIds, scatterReference } from './support/rows.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

test('adds rows of repeated ids, skips foreign ids, leaves other rows alone', async () => {
  const arbitrary = fc.tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 300 }),
  );
  await fc.assert(
    fc.asyncProperty(arbitrary, async ([vocab, dim, tokens]) => {
      const rows = random(tokens * dim, 6);
      const before = random(vocab * dim, 7);
      const ids = randomIds(tokens, vocab + 2, 8).map((id) => id - 1);
      const run = () =>
        scope(() => {
          const target = tensor(gpu, before, [vocab, dim]);
          scatterAddRows(target, tensor(gpu, rows, [tokens, dim]), fromHost(gpu, ids, [tokens], 'i32'));
          return target;
        });
      const [first, second] = [run(), run()];
      await expectClose(first, scatterReference(before, rows, ids, dim));
      expect(await second.data()).toEqual(await first.data());
      first.dispose();
      second.dispose();
    }),
    { numRuns: 15, seed: 12, examples: [[[3, 64, 260]]] },
  );
});

test('targets and sources over the binding limit', async () => {
  const small = await testGpu(undefined, { maxBindingBytes: 4096 });
  const rows = random(130 * 12, 9);
  const ids = randomIds(130, 150, 10);
  const target = scope(() => {
    const t = tensor(small, new Float32Array(150 * 12), [150, 12]);
    scatterAddRows(t, tensor(small, rows, [130, 12]), fromHost(small, ids, [130], 'i32'));
    return t;
  });
  await expectClose(target, scatterReference(new Float32Array(150 * 12), rows, ids, 12));
});

test('says what does not fit', () => {
  scope(() => {
    const target = tensor(gpu, random(12), [3, 4]);
    const ids = fromHost(gpu, Int32Array.of(0, 1), [2], 'i32');
    expect(() => scatterAddRows(target, tensor(gpu, random(6), [2, 3]), ids)).toThrow(
      'expected one row of 4 per id',
    );
  });
});
