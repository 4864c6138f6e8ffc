/** What a frozen tower gave, kept: the same bits as encoding again, and how often that happens. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/index.js';
import { FeatureCache, type FeatureCacheOptions } from '../../src/models/core/features.js';
import {
  createAdapter,
  type EncodedImages,
  initModel,
  loadModel,
  type Model,
} from '../../src/models/index.js';
import { testGpu } from '../support/gpu.js';
import { removeFolders, temporary } from '../train/support.js';

const MIB = 2 ** 20;
const pixels = (seed: number, patches: number) =>
  Float32Array.from({ length: patches * 1176 }, (_, i) => Math.sin(i * 0.37 + seed));
const A = { pixels: pixels(1, 16), grids: [[1, 4, 4]] as const };
const B = {
  pixels: pixels(2, 48),
  grids: [
    [1, 4, 4],
    [1, 8, 4],
  ] as const,
};

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await testGpu();
  const dir = join(await temporary(), 'model');
  await initModel(dir, { arch: 'tiny-qwen2.5-vl', seed: 3 });
  model = await loadModel(gpu, dir);
});
afterEach(() => {
  model.features?.dispose();
  model.features = null;
});
afterAll(async () => {
  model.dispose();
  await removeFolders();
});

function keep(options: FeatureCacheOptions): FeatureCache {
  const cache = new FeatureCache(options);
  model.features = cache;
  return cache;
}

async function read(images: EncodedImages): Promise<Float32Array> {
  const data = await images.features[0].data();
  images.dispose();
  return data;
}

describe.each(['host', 'device'] as const)('on the %s', (place) => {
  it('gives the bits of encoding again, whatever else is encoded with a picture', async () => {
    const plain = await read(model.encodeParts([A, B]));
    const alone = [...(await read(model.encodeParts([A]))), ...(await read(model.encodeParts([B])))];
    expect([...plain]).toEqual(alone);
    const cache = keep({ place, bytes: MIB });
    // Equal patches are one picture, in whatever array they come.
    const again = { ...A, pixels: A.pixels.slice() };
    const twice = await read(model.encodeParts([A, again]));
    expect(twice).toEqual(
      Float32Array.from([...plain.subarray(0, twice.length / 2), ...plain.subarray(0, twice.length / 2)]),
    );
    expect(cache.take()).toEqual({ encoded: 1, found: 1 });
    expect(await read(model.encodeParts([A, B]))).toEqual(plain);
    expect(cache.take()).toEqual({ encoded: 2, found: 1 });
    expect(await read(model.encodeParts([A, B]))).toEqual(plain);
    expect(cache.take()).toEqual({ encoded: 0, found: 3 });
  });

  it('keeps what was used last within its budget', async () => {
    const before = gpu.memory().liveTotal;
    const width = model.config.text.hiddenSize * 4;
    const cache = keep({ place, bytes: 12 * width });
    for (const part of [A, B, A, B]) await read(model.encodeParts([part]));
    // Of 4, 4 and 8 cells: the first two fit, and each further picture drives out what it needs.
    expect(cache.bytes).toBe(12 * width);
    expect(cache.take()).toEqual({ encoded: 6, found: 0 });
    await read(model.encodeParts([B]));
    expect(cache.take()).toEqual({ encoded: 0, found: 2 });
    cache.dispose();
    await gpu.sync();
    expect(gpu.memory().liveTotal).toBe(before);
  });

  it('finds nothing once the weights are others', async () => {
    const cache = keep({ place, bytes: MIB });
    const before = await read(model.encodeParts([A]));
    const weight = model.parameters.get('visual.merger.mlp.2.bias');
    weight.write((await weight.data()).map((x) => x + 1));
    expect(await read(model.encodeParts([A]))).not.toEqual(before);
    expect(cache.take()).toEqual({ encoded: 2, found: 0 });
  });
});

it('keeps nothing of a tower that trains or has an adapter, and nothing with 0 bytes', async () => {
  const cache = keep({ place: 'host', bytes: MIB });
  model.train((name) => name === 'visual.merger.mlp.0.weight');
  for (let i = 0; i < 2; i++) model.encodeParts([A]).dispose();
  expect(cache.take()).toEqual({ encoded: 2, found: 0 });
  model.train(() => false);
  const adapter = createAdapter(model, { rank: 2, targets: ['qkv'] }, { seed: 0, adaptVision: true });
  for (let i = 0; i < 2; i++) model.encodeParts([A]).dispose();
  expect(cache.take()).toEqual({ encoded: 2, found: 0 });
  adapter.dispose();
  const none = keep({ place: 'host', bytes: 0 });
  for (let i = 0; i < 2; i++) model.encodeParts([A]).dispose();
  expect(none.take()).toEqual({ encoded: 2, found: 0 });
});
