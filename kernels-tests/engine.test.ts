/**
 * The entry `osler/engine` needs no Node: bundled for browsers and with files in memory it makes a checkpoint, generates from
 * it and trains it, byte for byte as Node does from its disk.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shaderTexts } from '../scripts/lib/shader-texts.mjs';
import * as engine from '../src/engine.js';
import { loadWebGpu } from '../src/platform/launcher/webgpu.js';
import { nodeFiles } from '../src/platform/node/files.js';
import { bundleEngine, runBundle } from './support/engine-bundle.js';
import { testGpu } from './support/gpu.js';
import { useEngine } from './support/use-engine.js';
import { removeFolders, temporary } from './train/support.js';

let bundle: { code: string; missing: string[] };

beforeAll(async () => {
  bundle = await bundleEngine();
});
afterAll(removeFolders);

it('bundles without a module of Node', () => {
  expect(bundle.missing).toEqual([]);
  expect(bundle.code).not.toMatch(/["'`]node:/);
});

it('says what is missing where no platform is set', async () => {
  const osler = runBundle(bundle.code);
  await expect(osler.initModel('model', { arch: 'tiny-qwen2-vl', seed: 3 })).rejects.toThrow(
    'no platform is set: import `osler`, which sets that of Node, or call setPlatform first',
  );
});

it('makes, generates and trains in memory as on disk, byte for byte', async () => {
  const dir = await temporary();
  const onDisk = await useEngine(engine, await testGpu(), nodeFiles, dir);

  const osler = runBundle(bundle.code);
  const files = new osler.MemoryFiles();
  await files.makeFolder(dir);
  osler.setPlatform({ files });
  const { gpu: entry, pacer } = loadWebGpu();
  const texts = shaderTexts();
  const gpu = await osler.Gpu.open({
    gpu: entry,
    shaders: (path) => texts[path] as string,
    tier: (await testGpu()).tier,
    onWait: pacer.wake,
  });
  try {
    const inMemory = await useEngine(osler, gpu, files, dir);
    expect(Object.keys(inMemory.files)).toContain('run/checkpoints/step-000001/model.safetensors');
    expect(inMemory).toEqual(onDisk);
  } finally {
    await gpu.destroy();
  }
});
