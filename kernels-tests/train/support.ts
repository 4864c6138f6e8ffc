/** What the tests of training share: fixtures as examples, small runs in temporary folders. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Gpu } from '../../src/gpu/index.js';
import { gridPatches, patchValues } from '../../src/models/core/grid.js';
import type { Model } from '../../src/models/core/model.js';
import { initModel, type ModelConfig, parseConfig } from '../../src/models/index.js';
import { readSequences } from '../../src/models/inputs.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import type { PromptEncoder } from '../../src/models/processor/index.js';
import type { AdapterMemory } from '../../src/platform/cards.js';
import type { Example } from '../../src/sft/examples.js';
import { makeSftTask, parseSftConfig, type SftConfig, SftTask } from '../../src/sft/index.js';
import { isMachineMetric } from '../../src/train/clock.js';
import type { TrainingListener, TrainingResult } from '../../src/train/events.js';
import { launchTraining } from '../../src/train/launch.js';

/** Committed fixtures. */
export const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

const folders: string[] = [];

/** A folder that {@link removeFolders} deletes. */
export async function temporary(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'osler-train-'));
  folders.push(dir);
  return dir;
}

/** Deletes what {@link temporary} made. */
export async function removeFolders(): Promise<void> {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
}

/** A config with what every run needs. */
export function sftConfig(settings: Record<string, unknown>): SftConfig {
  return parseSftConfig({
    file: 'test.yaml',
    text: JSON.stringify({ model_name_or_path: 'm', train_dataset: 'd', output_dir: 'o', ...settings }),
  });
}

/** The rows of a fixture of kind sft as examples, their pixels given by the encoder. */
export async function fixtureExamples(
  name: string,
  model: Model,
): Promise<{ examples: Example[]; encoder: PromptEncoder }> {
  const fixture = await Fixture.open(`${FIXTURES}models/${name}.sft.safetensors`);
  try {
    const { sequences, places, pixels, columns } = await readSequences(fixture, model);
    const labels = (await fixture.integers('labels')).values;
    const width = model.config.vision ? patchValues(model.config.vision) : 0;
    const shares = new Map<object, Float32Array>();
    let token = 0;
    let patch = 0;
    const examples = sequences.map(({ ids, images: grids = [] }): Example => {
      const mask = Uint8Array.from(ids, () => (labels[places[token++]] === -100 ? 0 : 1));
      const patches = grids.reduce((n, grid) => n + gridPatches(grid), 0);
      // Copies of an example that a test changes keep its pictures.
      const pictures: [] = [];
      shares.set(pictures, (pixels ?? new Float32Array()).slice(patch * width, (patch + patches) * width));
      patch += patches;
      return { ids: Int32Array.from(ids), mask, pictures, grids };
    });
    if (token !== places.length || columns === 0) throw new Error('the fixture has rows that were not read');
    const patches: PromptEncoder['patches'] = async ({ pictures, grids }) =>
      grids.length > 0 ? { pixels: shares.get(pictures) as Float32Array, grids } : null;
    return { examples, encoder: { patches } as PromptEncoder };
  } finally {
    await fixture.close();
  }
}

/** An SFT task on given examples. */
export function taskOn(
  config: SftConfig,
  model: ModelConfig,
  { examples, encoder }: { examples: readonly Example[]; encoder: PromptEncoder },
): SftTask {
  return new SftTask({ config, model, encoder, note: () => {} }, examples, []);
}

/** A tiny model and some conversations, and a config for them. */
export async function workspace(
  arch = 'tiny-qwen2-vl',
): Promise<{ dir: string; settings: Record<string, unknown> }> {
  const dir = await temporary();
  await initModel(join(dir, 'model'), { arch, seed: 1 });
  const { default: sharp } = await import('sharp');
  const { mkdir, writeFile } = await import('node:fs/promises');
  const lines: string[] = [];
  await mkdir(join(dir, 'images'));
  for (let i = 0; i < 10; i++) {
    const shade = 25 * i;
    const picture = sharp({
      create: {
        width: 56,
        height: 28 * (1 + (i % 3)),
        channels: 3,
        background: { r: shade, g: 90, b: 255 - shade },
      },
    });
    await picture.png().toFile(join(dir, 'images', `${i}.png`));
    const ask =
      i % 4 === 3
        ? 'Say hi.'
        : [
            { type: 'image', image: `images/${i}.png` },
            { type: 'text', text: `No ${i}?` },
          ];
    lines.push(
      JSON.stringify({
        id: `c${i}`,
        messages: [
          { role: 'user', content: ask },
          { role: 'assistant', content: `It is ${shade}.` },
        ],
      }),
    );
  }
  await writeFile(join(dir, 'train.jsonl'), `${lines.join('\n')}\n`);
  return {
    dir,
    settings: {
      model_name_or_path: join(dir, 'model'),
      train_dataset: join(dir, 'train.jsonl'),
      system_prompt: 'x',
      learning_rate: 1e-3,
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      max_steps: 6,
      save_steps: 2,
    },
  };
}

/** Runs a config, as `osler sft` does; `lines` collects what the user sees. */
export async function runSft(
  gpu: Gpu,
  settings: Record<string, unknown>,
  options: {
    resume?: boolean;
    listeners?: readonly TrainingListener[];
    signal?: AbortSignal;
    deviceMemory?: AdapterMemory;
    lines?: string[];
  } = {},
): Promise<TrainingResult> {
  const { lines, resume = false, ...rest } = options;
  return launchTraining({
    gpu,
    config: sftConfig(settings),
    makeTask: makeSftTask,
    resume,
    console: { live: false, write: (text) => void lines?.push(text) },
    ...rest,
  });
}

/** Metrics of a run, line by line, without what depends on the machine. */
export async function computedMetrics(run: string): Promise<string[]> {
  const text = await readFile(join(run, 'metrics.jsonl'), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const entries = Object.entries(JSON.parse(line) as Record<string, unknown>);
      return JSON.stringify(Object.fromEntries(entries.filter(([name]) => !isMachineMetric(name))));
    });
}

/** A model's config without its weights. */
export async function configOf(dir: string): Promise<ModelConfig> {
  return parseConfig(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')));
}
