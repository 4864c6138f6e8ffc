import { expect, test } from 'vitest';
import { ANY_GPU } from '#osler/gpu/index.js';
import { binary } from '#osler/kernels/elementwise.js';
import { embedding } from '#osler/kernels/embedding.js';
import { fromHost, scope, zeros } from '#osler/tensor/index.js';
import { predict, secondsOf } from './predict.ts';
import { recordStep } from './record.ts';
import { pipelineName, Recorder } from './recorder.ts';
import { SMALL_STEP } from './step.ts';

test('launches and bytes are counted by pipeline and part, and reads give zeros', async () => {
  const gpu = new Recorder();
  const table = zeros(gpu, [100, 64]);
  const ids = fromHost(gpu, new Int32Array(3), [3], 'i32');
  gpu.part = 'first';
  const rows = embedding(table, ids);
  scope(() => binary('add', binary('add', rows, rows), rows));
  gpu.part = 'second';
  scope(() => binary('add', rows, rows));
  gpu.part = null;
  scope(() => binary('mul', rows, rows));
  expect(gpu.pipelines.map(({ path }) => path)).toEqual(['embedding/gather', 'elementwise/binary']);
  const [gather, add] = gpu.pipelines;
  // Three ids and three rows; of the table, as much as of these.
  const own = 3 * 4 + 3 * 64 * 4;
  expect(gather.uses).toEqual([
    { part: 'first', launches: 1, flops: 0, boundBytes: own + 100 * 64 * 4, movedBytes: 2 * own },
  ]);
  const bytes = 3 * (3 * 64 * 4);
  expect(add.uses).toEqual([
    { part: 'first', launches: 2, flops: 0, boundBytes: 2 * bytes, movedBytes: 2 * bytes },
    { part: 'second', launches: 1, flops: 0, boundBytes: bytes, movedBytes: bytes },
  ]);
  expect(gpu.total('first').launches).toBe(3);
  expect(await rows.data()).toEqual(new Float32Array(3 * 64));
});

test('a pipeline is named by what is switched on', () => {
  expect(pipelineName('a/b', { ON: true, OFF: false, ACTIVATION: 'none', N: 4 }, { WORKGROUP: 64 })).toBe(
    'a/b N=4 ON WORKGROUP=64',
  );
});

test('every layer of a step takes the same launches', async () => {
  const steps = await Promise.all(
    [1, 2, 3].map((layers) => recordStep('tiny-qwen2-vl', { shape: SMALL_STEP, layers })),
  );
  for (const phase of ['prefill', 'decode', 'forward', 'backward']) {
    const [one, two, three] = steps.map((step) => step.total(phase).launches);
    expect(two - one).toBeGreaterThan(5);
    expect(three - two).toBe(two - one);
  }
});

test('a prediction adds what is bound by arithmetic, by memory and by launches', async () => {
  const card = { f32: 1e12, matrix: 1e13, bandwidth: 1e11, launch: 1e-6 };
  const use = { part: 'forward', launches: 3, flops: 2e12, boundBytes: 1e11, movedBytes: 1e11 };
  const bound = (name: string) => secondsOf({ name }, use, card);
  expect(bound('matmul/tile')).toEqual({ work: 2, bound: 'f32', launching: 3 * 1e-6 });
  expect(bound('matmul/subgroup-matrix PARTS_A=2 PARTS_B=1')).toMatchObject({ work: 1, bound: 'memory' });
  const step = await recordStep('tiny-qwen2-vl', { shape: SMALL_STEP });
  const [, decode] = predict(step, SMALL_STEP, card);
  expect(decode.launches).toBe((SMALL_STEP.tokens - 1) * step.total('decode').launches);
  const slowHost = { encoded: 1, replayed: 2 };
  expect(predict(step, SMALL_STEP, card, slowHost)[1]).toMatchObject({
    bound: 'host',
    seconds: 2 * decode.launches,
  });
});

test.for([
  { batch: 8, lora: false, most: 7 },
  { batch: 32, lora: false, most: 9 },
  { batch: 8, lora: true, most: 11 },
  { batch: 32, lora: true, most: 13 },
])('a layer of a decode step takes few launches: %j', async ({ batch, lora, most }) => {
  const subgroups = { ...ANY_GPU, tier: 'subgroups' as const, device: { features: new Set(['subgroups']) } };
  const options = { traits: subgroups, shape: { ...SMALL_STEP, completions: batch, prompts: 1 }, lora };
  const count = async (layers: number) => {
    const recorded = await recordStep('qwen2-vl-2b', { ...options, layers, rollOutOnly: true });
    return recorded.total('decode').launches;
  };
  expect((await count(2)) - (await count(1))).toBeLessThanOrEqual(most);
});
