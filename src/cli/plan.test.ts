import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import '../platform/node/install.js';
import { plan } from './plan.js';
import { runCommand } from './test-run.js';

let file: string;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-plan-'));
  file = join(dir, 'sft.yaml');
  const text = 'model_name_or_path: models/Qwen2-VL-2B-Instruct\ntrain_dataset: d\noutput_dir: o\n';
  await writeFile(file, `${text}per_device_train_batch_size: 1\n`);
});
afterAll(() => rm(dir, { recursive: true }));

const small = ['--prompt-tokens', '200', '--patches', '64'];

it('says what a config needs without model, data or GPU', async () => {
  const { out } = await runCommand(plan, 'plan', '--config', file, ...small);
  expect(out).toContain(
    'models/Qwen2-VL-2B-Instruct is not there: its shape is that of the published qwen2-vl-2b',
  );
  expect(out).toMatch(/for prompts of 200 tokens with a picture of 64 patches/);
  expect(out).toMatch(/^optimizer +2\d\.\d\d GiB$/m);
});

it('names the settings with which it fits a card', async () => {
  const { out } = await runCommand(plan, 'plan', '--config', file, '--card', '24', ...small);
  expect(out).toMatch(
    /does not fit 24 GiB; it fits with optim: adamw_bf16, dtype: bfloat16 \(about \d+\.\d\d GiB\), or with use_peft: true/,
  );
  const fits = await runCommand(plan, 'plan', '--config', file, '--card', '80', ...small);
  expect(fits.out).toMatch(/fits a card of 80 GiB$/);
});

it('names 4-bit weights where nothing else helps an adapter', async () => {
  const large = ['--set', 'model_name_or_path=models/Qwen2.5-VL-7B-Instruct', '--set', 'use_peft=true'];
  const { out } = await runCommand(plan, 'plan', '--config', file, '--card', '12', ...large, ...small);
  expect(out).toMatch(/does not fit 12 GiB; it fits with load_in_4bit: true \(about \d\.\d\d GiB\)$/);
});

it('refuses what is no number, and a model that is neither here nor published', async () => {
  await expect(runCommand(plan, 'plan', '--config', file, '--card', 'x')).rejects.toThrow(/--card NaN/);
  const unknown = ['--set', 'model_name_or_path=models/nobody'];
  await expect(runCommand(plan, 'plan', '--config', file, ...unknown)).rejects.toThrow(/does not exist/);
});
