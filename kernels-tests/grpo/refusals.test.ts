/** What cannot work is refused with the field, the value and the fix, before any weight is loaded. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/common.js';
import { testGpu } from '../support/gpu.js';
import { removeFolders } from '../train/support.js';
import { grpoConfig, runGrpo, workspace } from './support.js';

let dir: string;
let settings: Record<string, unknown>;
beforeAll(async () => {
  ({ dir, settings } = await workspace());
  // Whoever tries to load weights fails otherwise than expected.
  await rename(join(dir, 'model', 'model.safetensors'), join(dir, 'weights'));
});
afterAll(removeFolders);

it.each([
  [{ loss_type: 'gpo' }, /"loss_type" is "gpo"; allowed are grpo, bnpo, dr_grpo, dapo, cispo, sapo/],
  [{ num_genrations: 4 }, /"num_genrations" is not a field; did you mean "num_generations"/],
  [{ num_generations: 3 }, /"num_generations" is 3, which does not divide the 8 completions of a step/],
  [{ num_generations: 1 }, /is 1, but GRPO compares completions/],
  [{ num_generations_eval: 4 }, /"num_generations_eval" is 4, but at eval_temperature 0 all answers/],
  [{ online_filter: { low: 1, high: 0 } }, /"online_filter" has a low that is not below its high/],
  [{ online_filter: {}, dynamic_sampling: true }, /"online_filter" is set beside dynamic_sampling/],
  [
    { num_generations: 6, per_device_train_batch_size: 4, gradient_accumulation_steps: 3 },
    /"per_device_train_batch_size" is 4, neither a multiple nor a divisor of num_generations 6/,
  ],
  [{ steps_per_generation: 3 }, /"steps_per_generation" is 3, not a multiple of 2/],
  [{ generation_batch_size: 12 }, /"generation_batch_size" is 12, not a multiple of 8/],
  [{ generation_batch_size: 8, steps_per_generation: 2 }, /is set beside steps_per_generation/],
  [{ rollout_units: 3 }, /"rollout_units" is 3, which does not divide the 2 prompts of a round/],
  [{ learning_lanes: 4 }, /"learning_lanes" is 4, which does not divide gradient_accumulation_steps 2/],
  [
    { learning_lanes: 2, gradient_dtype: 'bfloat16' },
    /"gradient_dtype" is bfloat16, but gradients of 2 learning_lanes are summed in f32/,
  ],
  [{ sync_ref_model: true }, /"sync_ref_model" is set while beta is 0/],
  [{ sync_ref_model: true, beta: 0.1, use_peft: true }, /cannot be used with use_peft/],
  [{ delta: 1.1 }, /"delta" is 1.1; it bounds ratios above the clip/],
  [{ epsilon_high: 0.1 }, /"epsilon_high" is 0.1, below epsilon 0.2/],
  [{ temperature: 0 }, /"temperature" is 0; expected a number of more than 0/],
  [{ algorithm: 'ppo', importance_sampling_level: 'sequence' }, /has an advantage per token/],
  [{ eval_strategy: 'steps' }, /"eval_strategy" needs held-out data/],
  [{ prompt_template: 'Which?' }, /"prompt_template" has no \{Question\}/],
  [{ rewards: ['acuracy'] }, /"rewards.0" names "acuracy"; allowed are accuracy, format/],
  [{ rewards: [] }, /"rewards" is \[\]/],
])('a config with %j', (extra, message) => {
  expect(() => grpoConfig({ ...settings, ...extra })).toThrow(message);
});

it.each([
  [
    { max_prompt_length: 10, overlong: 'error' },
    /train.jsonl:\d has \d+ tokens, more than max_prompt_length 10/,
  ],
  [{ max_prompt_length: 10 }, /has no question that can be asked/],
  [{ max_completion_length: 40000 }, /max_completion_length 40000, more than the model's 32768 positions/],
  [{ rewards: [{ name: 'module', path: 'none.ts' }] }, /none.ts cannot be loaded/],
  [{ train_dataset: 'nowhere.jsonl' }, /^train_dataset: nowhere.jsonl does not exist$/],
  [{ eval_dataset: ['no/where.jsonl'] }, /^eval_dataset: no\/where.jsonl does not exist$/],
  [{ model_name_or_path: 'nowhere' }, /config.json does not exist; model_name_or_path takes a folder/],
  [{ device_memory_gib: 0.001 }, /needs about .* lower it with/],
  [{ online_filter: { metric: 'acc' } }, /"online_filter.metric" is "acc"; use one of reward, /],
  [{ modalities: ['PET'] }, /"PET" is in no sample/],
])('a run with %j', async (extra, message) => {
  const gpu = await testGpu();
  const run = { ...settings, ...extra, output_dir: join(dir, 'run') };
  await expect(runGrpo(gpu, dir, run)).rejects.toThrow(message);
});

it('a reward that throws names itself and the sample', async () => {
  await rename(join(dir, 'weights'), join(dir, 'model', 'model.safetensors'));
  const rewards = [{ name: 'module', path: 'even.mjs', label: 'mine', options: { fail: 'q2' } }];
  const run = { ...settings, rewards, output_dir: join(dir, 'run') };
  const error = await runGrpo(await testGpu(), dir, run).catch((reason: unknown) => reason);
  expect((error as Error).message).toMatch(
    /reward "mine" on completion \d of question "q2" \(.*\) failed: no opinion/,
  );
  // The config was fine: it is the run that failed.
  expect(exitCodeOf(error)).toBe(1);
});
