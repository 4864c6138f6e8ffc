import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Gpu } from '../gpu/index.js';
import { parseSftConfig } from '../sft/index.js';
import { writeManifest } from '../train/manifest.js';
import { originOf } from '../train/origin.js';
import { runCommand } from './test-run.js';
import { verify } from './verify.js';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

/** A run with a checkpoint that has nothing but a file and its manifest. */
let run: string;
let checkpoint: string;
/** What the run was made from. */
let data: string;
let model: string;

const DEVICE = { info: { name: 'llvmpipe', driver: 'Mesa 26' }, tier: 'base' } as unknown as Gpu;

async function configOf(settings: Record<string, unknown> = {}) {
  const base = { model_name_or_path: model, train_dataset: data, output_dir: run };
  return parseSftConfig({ file: 'test', text: JSON.stringify({ ...base, ...settings }) });
}

async function writeConfig(settings: Record<string, unknown> = {}): Promise<void> {
  await writeFile(join(run, 'config.yaml'), stringify(await configOf(settings)));
}

beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'osler-verify-'));
  folders.push(dir);
  run = join(dir, 'run');
  checkpoint = join(run, 'checkpoints', 'step-000002');
  [data, model] = [join(dir, 'train.jsonl'), join(dir, 'model')];
  await mkdir(checkpoint, { recursive: true });
  await mkdir(model);
  await writeFile(data, '{}\n');
  await writeFile(join(model, 'config.json'), '{}');
  await writeFile(join(model, 'model.safetensors'), 'weights');
  await writeFile(join(model, 'README.md'), 'is not read');
  await writeFile(join(checkpoint, 'weights'), 'abc');
  await writeConfig();
  const origin = await originOf(await configOf(), [data]);
  await writeManifest(checkpoint, { step: 2, task: 'sft', gpu: DEVICE, origin });
});

it('a run that is as it was has nothing to note', async () => {
  // Where and how often a run writes is no part of what it computes.
  await writeConfig({ save_steps: 7, output_dir: 'elsewhere', logging_steps: 1 });
  const { out, exitCode } = await runCommand(verify, 'verify', run);
  expect(out).toMatch(
    /step-000002: intact, 1 files, made by Osler \d+\.\d+\.\d+ on llvmpipe, Mesa 26, tier base$/,
  );
  expect(exitCode).toBe(0);
  const { inputs } = JSON.parse(await readFile(join(checkpoint, 'manifest.json'), 'utf8'));
  expect(Object.keys(inputs)).toEqual([
    join(model, 'config.json'),
    join(model, 'model.safetensors'),
    join(data),
  ]);
});

it('a config, data or a model that changed are noted, and are no damage', async () => {
  await writeConfig({ learning_rate: 1 });
  await writeFile(data, '{"id": 1}\n');
  await rm(join(model, 'model.safetensors'));
  const { out, exitCode } = await runCommand(verify, 'verify', run, '--json');
  expect(JSON.parse(out)).toMatchObject({
    pass: true,
    checkpoints: [
      {
        kind: 'intact',
        notes: [
          'config.yaml is not the config that it was made with',
          `${join(model, 'model.safetensors')} is not there now`,
          `${data} has changed since`,
        ],
      },
    ],
  });
  expect(exitCode).toBe(0);
  expect((await runCommand(verify, 'verify', checkpoint)).out).toMatch(
    /\n {2}note: .*train\.jsonl has changed/,
  );
});

it('a manifest that names no origin is as good as ever', async () => {
  const file = join(checkpoint, 'manifest.json');
  const { osler, config, inputs, ...first } = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify(first));
  await writeConfig({ learning_rate: 1 });
  const { out, exitCode } = await runCommand(verify, 'verify', run);
  expect(out).toMatch(/intact, 1 files, made on llvmpipe, Mesa 26, tier base$/);
  expect(exitCode).toBe(0);
  await writeFile(join(checkpoint, 'weights'), 'abd');
  const damaged = await runCommand(verify, 'verify', run);
  expect(damaged.out).toMatch(/DAMAGED: weights is not as it was written$/);
  expect(damaged.exitCode).toBe(1);
});
