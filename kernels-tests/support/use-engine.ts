/** What tests of the engine without Node have it do, wherever it runs. */
import type { Files, Gpu } from '../../src/engine.js';

/** All that `osler/engine` exports. */
export type Engine = typeof import('../../src/engine.js');

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

/** A random model looks at a picture and generates, and takes steps of GRPO; everything lies below one folder. */
export async function useEngine(osler: Engine, gpu: Gpu, files: Files, dir: string, steps = 1) {
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
    max_steps: steps,
    save_steps: steps,
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
