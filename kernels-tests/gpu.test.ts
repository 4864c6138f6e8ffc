import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { chooseTier } from '../src/gpu/adapter.js';
import { chromeTrace, type Gpu, Rehearsal, summarise } from '../src/gpu/index.js';
import { sizeClass } from '../src/gpu/pool.js';
import { affine, axpy, binary, full } from '../src/kernels/elementwise.js';
import { openGpu } from '../src/platform/launcher/open.js';
import { empty, scope, tensor, zeros } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

describe('memory', () => {
  test('size classes waste at most a sixteenth of large buffers', () => {
    for (const bytes of [1, 255, 256, 257, 5000, 1e6, 123456789]) {
      expect(sizeClass(bytes)).toBeGreaterThanOrEqual(bytes);
      if (bytes > 8192) expect(sizeClass(bytes)).toBeLessThanOrEqual(bytes * 1.0625);
    }
  });

  test('bytes are accounted by purpose and recycled', () => {
    const before = gpu.memory();
    const w = empty(gpu, [1000], { purpose: 'weights' });
    const k = empty(gpu, [1000], { purpose: 'kv' });
    const during = gpu.memory();
    // A buffer that another test gave back may be somewhat larger.
    const [held, cached] = [w, k].map(({ range }) => range.buffer.capacity);
    expect(Math.min(held, cached)).toBeGreaterThanOrEqual(sizeClass(4000));
    expect(Math.max(held, cached)).toBeLessThanOrEqual(1.25 * sizeClass(4000));
    expect(during.live.weights - before.live.weights).toBe(held);
    expect(during.live.kv - before.live.kv).toBe(cached);
    w.dispose();
    k.dispose();
    expect(gpu.memory().liveTotal).toBe(before.liveTotal);
    const reserved = gpu.memory().reserved;
    scope(() => empty(gpu, [1000]));
    expect(gpu.memory().reserved).toBe(reserved);
  });

  test('running out says who holds what and what to change', async () => {
    const tight = await testGpu(undefined, { memoryBudget: 1 << 20 });
    const weights = empty(tight, [200_000], { purpose: 'weights' });
    expect(() => empty(tight, [100_000])).toThrow(
      /out of GPU memory asking for .* for activations; held: weights .*; to lower it, load weights in bf16/,
    );
    weights.dispose();
    empty(tight, [100_000]).dispose();
  });

  test('tensors over the largest buffer are refused before anything happens', () => {
    expect(() => empty(gpu, [2 ** 20, 2 ** 20])).toThrow(/exceeds this adapter's largest buffer/);
  });
});

describe('commands', () => {
  test('writes do not overtake recorded commands', async () => {
    const x = tensor(gpu, [1, 2, 3]);
    const y = affine(x, 10);
    x.write(new Float32Array([4, 5, 6]));
    const z = affine(x, 10);
    await expectClose(y, [10, 20, 30], 0);
    await expectClose(z, [40, 50, 60], 0);
    for (const t of [x, y, z]) t.dispose();
  });

  test('recycled memory is not disturbed by queued readers', async () => {
    const results = scope(() =>
      Array.from({ length: 300 }, (_, i) => scope(() => affine(full(gpu, [512], i), 2))),
    );
    await expectClose(results[137], new Array(512).fill(274), 0);
    for (const r of results) r.dispose();
  });

  test('a recording replays with new contents, and holds its memory', async () => {
    const x = tensor(gpu, random(100));
    const y = zeros(gpu, [100]);
    const before = gpu.memory().liveTotal;
    const { recording } = gpu.record(() => scope(() => axpy(y, affine(affine(x, 2), 1, 1), 1)));
    for (let i = 0; i < 4; i++) recording.replay();
    const garbage = scope(() => Array.from({ length: 20 }, () => full(gpu, [100], Number.NaN)));
    recording.replay();
    const xs = await x.data();
    await expectClose(
      y,
      Array.from(xs, (v) => 6 * (2 * v + 1)),
      1e-6,
    );
    x.write(new Float32Array(100));
    recording.replay();
    await expectClose(
      y,
      Array.from(xs, (v) => 6 * (2 * v + 1) + 1),
      1e-6,
    );
    for (const g of garbage) g.dispose();
    recording.dispose();
    expect(gpu.memory().liveTotal).toBe(before);
    expect(() => recording.replay()).toThrow('disposed');
    x.dispose();
    y.dispose();
  });

  test('a replay finds its inputs unchanged, whatever was freed while recording', async () => {
    const x = tensor(gpu, random(100));
    const y = zeros(gpu, [100]);
    const xs = await x.data();
    // z lives before the recording and dies in it: its memory must not become an intermediate of later commands.
    const z = affine(x, 3);
    const { recording } = gpu.record(() => {
      axpy(y, z, 1);
      z.dispose();
      scope(() => affine(full(gpu, [100], 7), 1));
    });
    recording.replay();
    recording.replay();
    await expectClose(
      y,
      Array.from(xs, (v) => 9 * v),
      1e-6,
    );
    recording.dispose();
    for (const t of [x, y]) t.dispose();
  });

  test('a recording that fails leaves nothing behind', () => {
    const before = gpu.memory().liveTotal;
    const fail = () => {
      scope(() => {
        full(gpu, [100], 1);
      });
      throw new Error('broken');
    };
    expect(() => gpu.record(fail)).toThrow('broken');
    expect(gpu.memory().liveTotal).toBe(before);
    expect(() => gpu.record(async () => {})).toThrow('must be synchronous');
    gpu.record(() => {}).recording.dispose();
  });

  test('ever-changing sizes do not pile up', () => {
    for (let i = 0; i < 60; i++) scope(() => empty(gpu, [(1 << 20) + i * 150_000]));
    const { reserved, peakTotal } = gpu.memory();
    expect(reserved).toBeLessThan(2 * peakTotal + (96 << 20));
  });

  test('profiling names kernels and gives Chrome traces', async () => {
    gpu.startProfile();
    scope(() => {
      for (let i = 0; i < 5; i++) affine(full(gpu, [10_000], 1), 3);
    });
    const events = await gpu.stopProfile();
    expect(events).toHaveLength(10);
    expect(events.every((e) => e.durationNs >= 0 && e.kernel === 'elementwise/affine')).toBe(true);
    expect(summarise(events)[0]).toMatchObject({ kernel: 'elementwise/affine', count: 10 });
    const trace = JSON.parse(chromeTrace(events, 'test'));
    expect(trace.traceEvents.filter((e: { ph: string }) => e.ph === 'X')).toHaveLength(10);
  });
});

describe('errors', () => {
  test('launch arguments are checked by name before anything reaches the GPU', () => {
    scope(() => {
      const x = full(gpu, [4], 1);
      const y = full(gpu, [4], 1);
      const launch = (bindings: Record<string, typeof x>, params = { size: 4, scale: 1, shift: 0 }) =>
        gpu.launch('elementwise/affine', bindings, params, { groups: [1] });
      expect(() => launch({ x })).toThrow('elementwise/affine: binding "y" was not given');
      expect(() => launch({ x, y, z: y })).toThrow('the shader has no binding "z"');
      expect(() => launch({ x, y: x })).toThrow('"y" is written while "x" uses the same buffer');
      expect(() => launch({ x, y }, { size: -1, scale: 1, shift: 0 })).toThrow(
        'parameter "size" = -1 does not fit u32',
      );
      expect(() =>
        gpu.launch('elementwise/affine', { x, y }, { size: 4, scale: 1, shift: 0 }, { groups: [0] }),
      ).toThrow('a grid of 0 x 1 x 1 workgroups is empty');
    });
  });

  test('use after dispose, wrong dtypes and shapes are refused', () => {
    const x = full(gpu, [4], 1);
    x.dispose();
    expect(() => affine(x, 1)).toThrow('tensor f32[4] is used after it was disposed');
    scope(() => {
      expect(() => empty(gpu, [2, 0])).toThrow('dimension that is not a positive integer');
      expect(() => binary('add', full(gpu, [4], 1), empty(gpu, [4], { dtype: 'bf16' }))).toThrow(
        'add: b is bf16[4], expected f32',
      );
      expect(() => tensor(gpu, [1, 2, 3], [2, 2])).toThrow('3 values do not fill shape [2, 2]');
      expect(() => tensor(gpu, [[1, 2], [3]])).toThrow('row 0 has shape [2] and row 1 has [1]');
      expect(() => tensor(gpu, [1.5], [1], { dtype: 'i32' })).toThrow('1.5');
      expect(() => full(gpu, [4], 1).alias([8])).toThrow('exceeds the 16 bytes');
      expect(() => full(gpu, [4], 1).write(new Int32Array(4))).toThrow(
        'writing Int32Array into a f32 tensor',
      );
    });
  });

  test('a kernel that does not compile is reported with file and line', async () => {
    const broken = await openGpu({
      shaders: () =>
        'var<storage, read_write> y: array<f32>;\n@compute @workgroup_size(1) fn main() { y[0] = oops; }',
    });
    const y = empty(broken, [1]);
    broken.launch('broken', { y }, {}, { groups: [1] });
    await expect(y.data()).rejects.toThrow(/kernel broken does not compile: shaders\/broken.wgsl:2: .*oops/);
    await broken.destroy();
  });

  test('unknown tiers are refused', () => {
    expect(() => chooseTier(gpu.info, 'turbo')).toThrow('tier "turbo" is unknown; use one of base, f16');
    expect(() => chooseTier({ ...gpu.info, tiers: ['base'] }, 'f16')).toThrow('not offered');
  });
});

test('a batch is submitted before it holds seconds of work', async () => {
  await gpu.sync();
  const submit = vi.spyOn(Object.getPrototypeOf(gpu.device.queue), 'submit');
  const x = full(gpu, [4], 1);
  const work = (flops: number) =>
    gpu.launch('roofline/empty', { sink: x }, { value: 0 }, { groups: [1], flops });
  for (let i = 0; i < 40; i++) work(0);
  work(2e11);
  expect(submit).toHaveBeenCalledTimes(0);
  work(2e11);
  expect(submit).toHaveBeenCalledTimes(1);
  work(2e11);
  expect(submit).toHaveBeenCalledTimes(1);
  submit.mockRestore();
  x.dispose();
});

test.runIf(existsSync('/proc/self/maps'))('bind groups that were dropped do not pile up', async () => {
  const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\n').length;
  const own = await openGpu();
  const step = Math.max(64, own.bindingAlignment);
  const x = zeros(own, [(step / 4) * 32_000]);
  const before = mappings();
  for (let i = 0; i < 32_000; i++) {
    scope(() => affine(x.alias([16], step * i), 2));
    if (i % 500 === 0) await own.sync();
  }
  // One each on llvmpipe; without a collection, all 32000 of them.
  expect(mappings() - before).toBeLessThan(12_000);
  await own.destroy();
});

test('a rehearsal takes the memory that the work would take, and gives no numbers', async () => {
  const taken = (device: Gpu) => {
    device.trim();
    device.resetPeakMemory();
    const { liveTotal } = device.memory();
    scope(() => {
      const x = full(device, [300, 70], 1, 'weights');
      for (let i = 0; i < 5; i++) scope(() => binary('add', affine(x, 2), affine(x, 3)));
    });
    const { peakTotal, peak } = device.memory();
    return [peakTotal - liveTotal, peak.activations];
  };
  const own = await openGpu();
  const rehearsal = new Rehearsal(own);
  expect(taken(rehearsal)).toEqual(taken(own));
  await expect(zeros(rehearsal, [2 ** 20, 2 ** 20]).data()).rejects.toThrow(/nothing can be read/);
  await own.destroy();
});

test('a destroyed device says so', async () => {
  const own = await openGpu();
  const x = full(own, [4], 2);
  await expectClose(x, [2, 2, 2, 2], 0);
  await own.destroy();
  await own.destroy();
  expect(() => full(own, [4], 1)).toThrow('this GPU device was destroyed');
});
