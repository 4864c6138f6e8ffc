/** Runs with a frozen tower: each picture goes through it once, and nothing else changes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { testGpu } from '../support/gpu.js';
import { computedMetrics, removeFolders, runSft, workspace as sftWorkspace } from '../train/support.js';
import { contents, logOf, runGrpo, workspace } from './support.js';

afterEach(removeFolders);

const HOST = { vision_cache_gib: 0.001 };
const DEVICE = { ...HOST, vision_cache_device: 'device' };
const NONE = { vision_cache_gib: 0 };

async function counts(run: string): Promise<{ encoded: number; found: number }[]> {
  return (await logOf(run, 'metrics')).map((line) => ({
    encoded: line['vision/encoded'] as number,
    found: line['vision/found'] as number,
  }));
}

async function expectSame(a: string, b: string, checkpoint: string): Promise<void> {
  expect(await computedMetrics(b)).toEqual(await computedMetrics(a));
  const [first, second] = [await contents(join(a, checkpoint)), await contents(join(b, checkpoint))];
  expect([...second.keys()]).toEqual([...first.keys()]);
  // The manifest says which run it was.
  for (const [name, bytes] of first) {
    expect([name, name.includes('manifest') || second.get(name) === bytes]).toEqual([name, true]);
  }
}

it('GRPO: rollout, reference and policy look a picture up, in the next epoch, too', async () => {
  const gpu = await testGpu();
  const { dir, settings } = await workspace();
  const base = { ...settings, use_peft: true, lora_r: 2, beta: 0.04, max_steps: 4, save_steps: 4 };
  for (const [name, cache] of Object.entries({ none: NONE, host: HOST })) {
    await runGrpo(gpu, dir, { ...base, ...cache, output_dir: join(dir, name) });
  }
  const each = await counts(join(dir, 'none'));
  // Four steps of two prompts, three passes each, less the questions without a picture.
  expect(each.every(({ encoded, found }) => found === 0 && encoded >= 3 && encoded % 3 === 0)).toBe(true);
  const own = await counts(join(dir, 'host'));
  expect(own.map(({ encoded, found }) => encoded + found)).toEqual(each.map(({ encoded }) => encoded));
  // There are six pictures, and seven prompts to an epoch.
  expect(own.reduce((sum, { encoded }) => sum + encoded, 0)).toBe(6);
  await expectSame(join(dir, 'none'), join(dir, 'host'), 'checkpoints/step-000004');
  const completions = (run: string) => readFile(join(dir, run, 'completions.jsonl'), 'utf8');
  expect(await completions('host')).toBe(await completions('none'));
});

it('SFT: the second epoch finds what the first one encoded, and a tower that trains is never asked', async () => {
  const gpu = await testGpu();
  const { dir, settings } = await sftWorkspace();
  const base = { ...settings, freeze_vision_tower: true };
  for (const [name, cache] of Object.entries({ none: NONE, device: DEVICE })) {
    await runSft(gpu, { ...base, ...cache, output_dir: join(dir, name) });
  }
  const own = await counts(join(dir, 'device'));
  expect(own.reduce((sum, { found }) => sum + found, 0)).toBeGreaterThan(0);
  await expectSame(join(dir, 'none'), join(dir, 'device'), 'checkpoints/step-000006');
  await runSft(gpu, { ...settings, max_steps: 1, output_dir: join(dir, 'trained') });
  expect((await counts(join(dir, 'trained'))).every(({ found }) => found === 0)).toBe(true);
});
