import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import { matmul } from '../src/kernels/matmul.js';
import { attachTuner, bucket, type Task, Tuner, tunerFor } from '../src/kernels/tuner.js';
import { tunerEnabled, tunerFile } from '../src/platform/launcher/tuner-file.js';
import { scope, tensor } from '../src/tensor/index.js';
import { random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
let usual: Tuner;
let folder: string;
beforeAll(async () => {
  gpu = await testGpu();
});
beforeEach(() => {
  usual = tunerFor(gpu);
  folder = mkdtempSync(path.join(tmpdir(), 'osler-tuner-'));
});
afterEach(() => {
  attachTuner(gpu, usual);
  rmSync(folder, { recursive: true, force: true });
});

interface Way {
  readonly work: number;
}

/** A task whose candidates differ by how often they do something costly; the rule is the slowest. */
function task(ran: Way[] = []): Task<Way> {
  return {
    rule: { work: 60 },
    candidates: [{ work: 60 }, { work: 1 }, { work: 30 }],
    prepare: () => ({
      run: (way) => {
        ran.push(way);
        for (let i = 0; i < way.work; i++) full(gpu, [1 << 16], i).dispose();
      },
      dispose: () => {},
    }),
  };
}

test('the rule of thumb holds until measured, then the fastest way', async () => {
  const tuner = new Tuner(gpu);
  expect(tuner.choose('t', () => task())).toEqual({ work: 60 });
  expect(tuner.pending).toBe(1);
  await tuner.tune();
  expect(tuner.pending).toBe(0);
  expect(tuner.choose('t', () => task())).toEqual({ work: 1 });
  expect(tuner.pin()).toEqual({ t: { work: 1 } });
});

test('after freeze nothing is noted or changed', async () => {
  const tuner = new Tuner(gpu);
  tuner.choose('before', () => task());
  tuner.freeze();
  const ran: Way[] = [];
  tuner.choose('after', () => task(ran));
  expect(tuner.pending).toBe(0);
  await tuner.tune();
  expect(ran).toEqual([]);
  expect(tuner.choose('after', () => task())).toEqual({ work: 60 });
});

test('a resumed run makes the choices of its record, not those measured meanwhile', async () => {
  const first = new Tuner(gpu);
  first.import({ t: { work: 30 } });
  const record = first.pin();
  const second = new Tuner(gpu);
  second.import({ t: { work: 1 }, u: { work: 1 } });
  expect(second.choose('t', () => task())).toEqual({ work: 1 });
  expect(second.pin(record)).toEqual(record);
  expect(second.choose('t', () => task())).toEqual({ work: 30 });
  expect(second.choose('u', () => task())).toEqual({ work: 60 });
});

test('a recorded choice is reused, whatever is on disk; one that is not valid any more is not', async () => {
  const store = { load: async () => ({ t: { work: 1 } }), save: async () => {} };
  const tuner = new Tuner(gpu, { store });
  await tuner.load();
  tuner.import({ t: { work: 30 }, gone: { work: 7 }, broken: 'x' });
  expect(tuner.choose('t', () => task())).toEqual({ work: 30 });
  expect(tuner.choose('gone', () => task())).toEqual({ work: 60 });
  expect(tuner.choose('broken', () => task())).toEqual({ work: 60 });
});

test('choices survive on disk, apart for each adapter and version', async () => {
  const file = tunerFile(gpu.info, '1.2.3', folder);
  const first = new Tuner(gpu, { store: file });
  first.choose('t', () => task());
  await first.tune();
  await tunerFile(gpu.info, '1.2.3', folder).save({ other: { work: 30 } });

  const second = new Tuner(gpu, { store: tunerFile(gpu.info, '1.2.3', folder) });
  await second.load();
  expect(second.choose('t', () => task())).toEqual({ work: 1 });
  expect(second.choose('other', () => task())).toEqual({ work: 30 });
  expect(second.pending).toBe(0);
  expect(JSON.parse(readFileSync(file.path, 'utf8'))).toMatchObject({
    adapter: gpu.info.name,
    engine: '1.2.3',
  });

  expect(await tunerFile(gpu.info, '1.2.4', folder).load()).toEqual({});
  expect(await tunerFile({ ...gpu.info, driver: 'other' }, '1.2.3', folder).load()).toEqual({});
  for (const damage of ['{', '[]', '{"choices": 3}', '']) {
    writeFileSync(file.path, damage);
    expect(await file.load()).toEqual({});
  }
});

test('OSLER_TUNER=off is understood', () => {
  expect(tunerEnabled({ OSLER_TUNER: 'off' })).toBe(false);
  expect(tunerEnabled({ OSLER_TUNER: 'on' })).toBe(true);
  expect(tunerEnabled({})).toBe(true);
});

test('products are measured by bucket, and stay right', async () => {
  const measured: string[] = [];
  const tuner = new Tuner(gpu, { onMeasured: (key) => measured.push(key) });
  attachTuner(gpu, tuner);
  const a = tensor(gpu, random(61 * 64, 1), [61, 64]);
  const b = tensor(gpu, random(64 * 48, 2), [64, 48]);
  const before = await matmul(a, b).data();
  scope(() => void matmul(tensor(gpu, random(40 * 64, 1), [40, 64]), b));
  expect(tuner.pending).toBe(1);
  const live = gpu.memory().liveTotal;
  await tuner.tune();
  expect(gpu.memory().liveTotal).toBe(live);
  expect(measured).toEqual(['matmul/NN/f32/1x64x48x64']);
  const after = await matmul(a, b).data();
  after.forEach((v, i) => {
    expect(v).toBeCloseTo(before[i], 4);
  });

  // A resumed run takes the recorded choices and computes the same bits.
  const resumed = new Tuner(gpu);
  resumed.pin(JSON.parse(JSON.stringify(tuner.pin())));
  attachTuner(gpu, resumed);
  expect(await matmul(a, b).data()).toEqual(after);
});

test('buckets are powers of two', () => {
  expect([1, 2, 3, 4, 5, 64, 65].map(bucket)).toEqual([1, 2, 4, 4, 8, 64, 128]);
});
