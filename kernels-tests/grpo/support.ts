/** What the tests of the trainer share: a tiny model, a few questions, runs in temporary folders. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gpu } from '../../src/gpu/index.js';
import { type GrpoConfig, makeGrpoTask, parseGrpoConfig } from '../../src/grpo/index.js';
import { initModel } from '../../src/models/index.js';
import { importModule } from '../../src/platform/node/import-module.js';
import type { TrainingListener, TrainingResult } from '../../src/train/events.js';
import { launchTraining } from '../../src/train/launch.js';
import { temporary } from '../train/support.js';

/** A reward that random models get some of: the share of bytes below 128 in the completion. */
const REWARD = `
export default ({ completionIds, record, options }) => {
  if (options.fail === record.id) throw new Error('no opinion');
  const low = completionIds.filter((id) => id % 2 === 0).length;
  return { value: low / completionIds.length, reason: low + ' even ids' };
};
`;

/** A model, questions with and without pictures, and settings for a short run. */
export async function workspace(
  arch = 'tiny-qwen2-vl',
): Promise<{ dir: string; settings: Record<string, unknown> }> {
  const dir = await temporary();
  await initModel(join(dir, 'model'), { arch, seed: 1 });
  const { default: sharp } = await import('sharp');
  await mkdir(join(dir, 'images'));
  const lines: string[] = [];
  for (let i = 0; i < 7; i++) {
    const background = { r: 30 * i, g: 90, b: 255 - 30 * i };
    const create = { width: 56, height: 28 * (1 + (i % 2)), channels: 3 as const, background };
    await sharp({ create })
      .png()
      .toFile(join(dir, 'images', `${i}.png`));
    const image = i === 3 ? { images: [] } : { image: `images/${i}.png` };
    const options = { A: 'red', B: 'blue', C: 'grey' };
    lines.push(
      JSON.stringify({
        id: `q${i}`,
        ...image,
        question: `No ${i}?`,
        options,
        answer: 'ABC'[i % 3],
        modality: i % 2 ? 'CT' : 'MRI',
      }),
    );
  }
  await writeFile(join(dir, 'train.jsonl'), `${lines.join('\n')}\n`);
  await writeFile(join(dir, 'even.mjs'), REWARD);
  return {
    dir,
    settings: {
      model_name_or_path: join(dir, 'model'),
      train_dataset: join(dir, 'train.jsonl'),
      system_prompt: 'x',
      prompt_template: '{Question}',
      num_generations: 4,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 2,
      max_completion_length: 6,
      learning_rate: 1e-3,
      max_steps: 5,
      save_steps: 5,
      rewards: [{ name: 'module', path: 'even.mjs' }, 'accuracy'],
    },
  };
}

/** A config, checked. */
export function grpoConfig(settings: Record<string, unknown>): GrpoConfig {
  return parseGrpoConfig({ file: 'grpo.yaml', text: JSON.stringify({ output_dir: 'o', ...settings }) });
}

/** Options of {@link runGrpo}. */
export interface RunOptions {
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly listeners?: readonly TrainingListener[];
  /** Collects what the user sees. */
  readonly lines?: string[];
}

/** Runs a config as `osler grpo` does, its modules relative to `dir`. */
export async function runGrpo(
  gpu: Gpu,
  dir: string,
  settings: Record<string, unknown>,
  { lines, resume = false, ...rest }: RunOptions = {},
): Promise<TrainingResult> {
  return launchTraining({
    gpu,
    config: grpoConfig(settings),
    makeTask: (setting) => makeGrpoTask(setting, { folder: dir, importModule }),
    resume,
    console: { live: false, write: (text) => void lines?.push(text) },
    ...rest,
  });
}

/** Lines of a log of a run, parsed. */
export async function logOf(run: string, name: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(run, `${name}.jsonl`), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Bytes of every file below a folder, by path. */
export async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(path.slice(folder.length), await readFile(path, 'base64'));
  }
  return found;
}
