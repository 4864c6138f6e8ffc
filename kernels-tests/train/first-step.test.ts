/** A first step on trial: what it takes, and that nothing is left of it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { makeGrpoTask } from '../../src/grpo/index.js';
import { openGpu } from '../../src/platform/launcher/open.js';
import { loadWebGpu } from '../../src/platform/launcher/webgpu.js';
import { importModule } from '../../src/platform/node/import-module.js';
import { makeSftTask } from '../../src/sft/index.js';
import { checkFirstStep } from '../../src/train/first-step.js';
import { grpoConfig, workspace as questions } from '../grpo/support.js';
import { type Failures, lateDriver } from '../support/late-driver.js';
import { workspace as conversations, removeFolders, runSft, sftConfig } from './support.js';

afterEach(removeFolders);

const { signal } = new AbortController();
const silent = { live: false, write: () => {} };

it('sft: the longest examples', async () => {
  const gpu = await openGpu();
  const { dir, settings } = await conversations();
  const output_dir = join(dir, 'run');
  const config = sftConfig({ ...settings, output_dir });
  const { plan, measured } = await checkFirstStep({
    gpu,
    config,
    signal,
    makeTask: makeSftTask,
    console: silent,
  });
  expect(Math.abs(plan.peak / measured.peakTotal - 1)).toBeLessThan(0.05);
  expect(gpu.memory().liveTotal).toBe(0);
  expect(await readdir(dir)).not.toContain('run');
  await gpu.destroy();
});

it.each([
  ['grpo', { beta: 0.04, num_iterations: 2, kv_cache_dtype: 'bfloat16' }],
  ['ppo', { use_peft: true, per_device_train_batch_size: 2, rollout_batch_size: 4 }],
])('%s: full completions of the longest prompt', async (algorithm, more) => {
  const gpu = await openGpu();
  const { dir, settings } = await questions();
  const output_dir = join(dir, 'run');
  const config = grpoConfig({ ...settings, ...more, algorithm, max_completion_length: 24, output_dir });
  const { plan, measured } = await checkFirstStep({
    gpu,
    config,
    signal,
    makeTask: (setting) => makeGrpoTask(setting, { folder: dir, importModule }),
    console: silent,
  });
  expect(Math.abs(plan.peak / measured.peakTotal - 1)).toBeLessThan(0.05);
  expect(gpu.memory().liveTotal).toBe(0);
  expect(await readdir(dir)).not.toContain('run');
  await gpu.destroy();
});

it('memory that the driver does not have is told with what was planned, and what would take less', async () => {
  const failures: Failures = {};
  const gpu = await openGpu({ gpu: lateDriver(loadWebGpu().gpu, failures) });
  const { dir, settings } = await conversations();
  const onStart = () => {
    failures.memoryLimit = 1 << 16;
  };
  const run = runSft(gpu, { ...settings, output_dir: join(dir, 'run') }, { listeners: [{ onStart }] });
  await expect(run).rejects.toThrow(
    /^out of GPU memory asking for .*; held: .*; planned were .* at the peak \(weights .*\); less is needed with .* \(about/,
  );
  await gpu.destroy();
});
