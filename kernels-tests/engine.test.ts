/**
 * The entry `osler/engine` needs no Node: bundled for browsers and with files in memory it makes a checkpoint, generates from
 * it and trains it, byte for byte as Node does from its disk.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shaderTexts } from '../scripts/lib/shader-texts.mjs';
import * as engine from '../src/engine.js';
import { loadWebGpu } from '../src/platform/launcher/webgpu.js';
import { nodeFiles } from '../src/platform/node/files.js';
import { bundleEngine, type Engine, runBundle } from './support/engine-bundle.js';
import { testGpu } from './support/gpu.js';
import { removeFolders, temporary } from './train/support.js';

type Files = engine.Files;
let bundle: { code: string; missing: string[] };

beforeAll(async () => {
  bundle = await bundleEngine();
});
afterAll(removeFolders);

async function write(files: Files, path: string, text: string): Promise<void> {
  await (await files.stage(path, text)).commit();
}

/** Digests of all files below a folder, by path. */
async function digests(files: Files, folder: string, below = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await files.list(files.join(folder, below))) {
    const path = below === '' ? name : `${below}/${name}`;
    const at = files.join(folder, path);
    if ((await files.kind(at)) === 'folder') Object.assign(found, await digests(files, folder, path));
    else found[path] = await files.digest(at);
  }
  return found;
}

/** A random model looks at a picture and generates, and takes a step of GRPO; everything lies below one folder. */
async function useEngine(osler: Engine, gpu: engine.Gpu, files: Files, dir: string) {
  const model = `${dir}/model`;
  await osler.initModel(model, { arch: 'tiny-qwen2-vl', seed: 3 });
  const loaded = await osler.loadModel(gpu, model);
  const generator = new osler.Generator(loaded, { maxBatch: 2 });
  const { image = 0, visionStart = 0, visionEnd = 0 } = loaded.config.tokens;
  const pixels = Float32Array.from({ length: 4 * 1176 }, (_, i) => Math.sin(i));
  const completions = await generator.generate([
    {
      ids: [visionStart, image, visionEnd, 72, 101, 108, 108, 111],
      images: { pixels, grids: [[1, 2, 2]] },
      maxNewTokens: 5,
      samples: 2,
      seed: 7,
      stopIds: [],
    },
  ]);
  await generator.dispose();
  loaded.dispose();

  const ask = (i: number) => ({
    id: `q${i}`,
    images: [],
    question: `No ${i}?`,
    options: { A: 'red', B: 'blue' },
    answer: 'AB'[i % 2],
  });
  await write(files, `${dir}/questions.jsonl`, [0, 1].map((i) => `${JSON.stringify(ask(i))}\n`).join(''));
  const settings = {
    model_name_or_path: model,
    train_dataset: `${dir}/questions.jsonl`,
    output_dir: `${dir}/run`,
    prompt_template: '{Question}',
    num_generations: 2,
    per_device_train_batch_size: 4,
    max_completion_length: 4,
    rewards: ['repetition', 'accuracy'],
    max_steps: 1,
    save_steps: 1,
    learning_rate: 0.001,
  };
  const importModule = () => Promise.reject(new Error('no rewards of its own'));
  await osler.launchTraining({
    gpu,
    config: osler.parseGrpoConfig({ file: 'grpo.yaml', text: JSON.stringify(settings) }),
    makeTask: (setting) => osler.makeGrpoTask(setting, { folder: dir, importModule }),
    resume: false,
    console: { live: false, write: () => {} },
  });
  const made = Object.entries(await digests(files, dir));
  // Metrics tell the time as well.
  return { completions, files: Object.fromEntries(made.filter(([path]) => !path.endsWith('metrics.jsonl'))) };
}

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
