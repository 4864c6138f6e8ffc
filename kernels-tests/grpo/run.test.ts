/** Whole runs: determinism, resume, what is logged, every kind of run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/index.js';
import { testGpu } from '../support/gpu.js';
import { computedMetrics, removeFolders } from '../train/support.js';
import { contents, logOf, runGrpo, workspace } from './support.js';

let gpu: Gpu;
let dir: string;
let settings: Record<string, unknown>;
beforeEach(async () => {
  gpu = await testGpu();
  ({ dir, settings } = await workspace());
});
afterEach(removeFolders);

/** Aborts once a step is done, or some milliseconds after. */
function stopAfter(step: number, milliseconds?: number) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  return {
    signal: controller.signal,
    listeners: [
      {
        onStep: (event: { step: number }) => {
          if (event.step !== step) return;
          if (milliseconds === undefined) stop();
          else setTimeout(stop, milliseconds);
        },
      },
    ],
  };
}

async function expectEqual(a: string, b: string, step: string): Promise<void> {
  expect(await computedMetrics(b)).toEqual(await computedMetrics(a));
  expect(await readFile(`${b}/completions.jsonl`, 'utf8')).toBe(
    await readFile(`${a}/completions.jsonl`, 'utf8'),
  );
  const [first, second] = [
    await contents(`${a}/checkpoints/${step}`),
    await contents(`${b}/checkpoints/${step}`),
  ];
  expect([...second.keys()]).toEqual([...first.keys()]);
  for (const [name, bytes] of first) expect([name, second.get(name) === bytes]).toEqual([name, true]);
}

// Slow for its twenty steps: what differs from run to run shows late, when weights have moved apart and samples with them.
it('ten steps are the same twice, byte by byte', async () => {
  const ten = { ...settings, max_steps: 10, save_steps: 10, beta: 0.04 };
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  for (const output_dir of [a, b]) await runGrpo(gpu, dir, { ...ten, output_dir });
  await expectEqual(a, b, 'step-000010');
  const [first] = await logOf(a, 'metrics');
  expect(first['sampling/logp_diff_max']).toBeLessThan(1e-4);
});

describe('a run that was interrupted and resumed equals one that was not', () => {
  const cases: [string, Record<string, unknown>, ReturnType<typeof stopAfter>][] = [
    // In the middle of a round: its completions are in the checkpoint.
    [
      'old and reference log-probabilities in the buffer',
      {
        steps_per_generation: 4,
        num_iterations: 2,
        kv_cache_dtype: 'bfloat16',
        beta: 0.04,
        epsilon: 0.001,
        mask_truncated_completions: true,
        sync_ref_model: true,
        ref_model_sync_steps: 2,
      },
      stopAfter(2),
    ],
    [
      'an adapter',
      { use_peft: true, lora_r: 4, lora_dropout: 0.1, beta: 0.1, num_iterations: 2 },
      stopAfter(3),
    ],
    [
      'an adapter over weights in 4 bits, between rounds',
      { use_peft: true, lora_r: 4, load_in_4bit: true, bnb_4bit_use_double_quant: true },
      stopAfter(2),
    ],
    [
      'PPO of an adapter over weights in 4 bits',
      { algorithm: 'ppo', use_peft: true, lora_r: 4, load_in_4bit: true },
      stopAfter(2),
    ],
    [
      'values and token advantages in the buffer',
      { algorithm: 'ppo', num_iterations: 3, shuffle_options: true },
      stopAfter(2),
    ],
    [
      'no masters, gradients in bf16, a reference',
      { optim: 'adamw_bf16', dtype: 'bfloat16', gradient_dtype: 'bfloat16', beta: 0.04 },
      stopAfter(2),
    ],
    [
      'PPO that updates in the backward pass',
      {
        algorithm: 'ppo',
        optim: 'adamw_8bit',
        optimizer_in_backward: true,
        max_grad_norm: 0,
        per_device_train_batch_size: 8,
        gradient_accumulation_steps: 1,
      },
      stopAfter(2),
    ],
    [
      'greedy baselines, divergence in the reward, and a beta that moves',
      {
        advantage_estimator: 'remax',
        beta: 0.1,
        kl_in_reward: true,
        kl_target: 0.001,
        kl_horizon: 20,
        num_mini_batches: 2,
        gradient_accumulation_steps: 1,
      },
      stopAfter(3),
    ],
    ['in the middle of a step', { dynamic_sampling: true }, stopAfter(2, 3)],
  ];
  it.each(cases)('%s', async (_, extra, stop) => {
    const base = { ...settings, ...extra };
    const [a, b] = [join(dir, 'a'), join(dir, 'b')];
    const before = gpu.memory().live;
    await runGrpo(gpu, dir, { ...base, output_dir: a });
    const part = await runGrpo(gpu, dir, { ...base, output_dir: b }, stop);
    expect(part.outcome).toBe('stopped');
    await runGrpo(gpu, dir, { ...base, output_dir: b }, { resume: true });
    await expectEqual(a, b, 'step-000005');
    const { kv, optimizer } = gpu.memory().live;
    expect({ kv, optimizer }).toEqual({ kv: before.kv, optimizer: before.optimizer });
  });
});

it('logs what TRL logs, and every completion with what it is worth', async () => {
  const run = join(dir, 'run');
  const extra = {
    beta: 0.04,
    eval_fraction: 0.3,
    eval_strategy: 'steps',
    eval_steps: 5,
    scale_rewards: false,
    rewards: [...(settings.rewards as object[]), { name: 'length', min_tokens: 6, max_tokens: 6, weight: 0 }],
  };
  await runGrpo(gpu, dir, { ...settings, ...extra, output_dir: run });
  const metrics = await logOf(run, 'metrics');
  expect(metrics).toHaveLength(5);
  for (const name of [
    ...['mean_length', 'min_length', 'max_length', 'clipped_ratio', 'no_tag', 'multi_tag', 'accuracy'].map(
      (own) => `completions/${own}`,
    ),
    ...['mean', 'min', 'max'].map((own) => `completions/${own}_terminated_length`),
    ...['even', 'accuracy'].flatMap((own) => [`rewards/${own}/mean`, `rewards/${own}/std`]),
    ...['low_mean', 'low_min', 'high_mean', 'high_max', 'region_mean'].map((own) => `clip_ratio/${own}`),
    ...['rollout', 'reward', 'reference', 'forward', 'backward', 'update'].map((own) => `time/${own}`),
    ...['reward', 'reward_std', 'frac_reward_zero_std', 'kl', 'entropy', 'loss', 'policy_loss', 'num_tokens'],
    ...['sampling/logp_diff_max', 'grad_norm', 'learning_rate', 'step_time', 'tokens_per_second'],
  ]) {
    expect(metrics[0][name], name).toBeTypeOf('number');
  }
  expect(Object.keys(metrics[4]).filter((name) => name.startsWith('reward_by_modality/'))).not.toHaveLength(
    0,
  );
  expect(metrics[4]['eval/accuracy']).toBeTypeOf('number');
  // Of the ids that were drawn: the text of random ids encodes to another number of them.
  expect(metrics[4]['eval/rewards/length/mean']).toBe(1);
  const lines = await logOf(run, 'completions');
  expect(lines).toHaveLength(5 * 8);
  const groups = new Map<unknown, Record<string, unknown>[]>();
  for (const line of lines) groups.set(line.group, [...(groups.get(line.group) ?? []), line]);
  for (const group of groups.values()) {
    expect(group.map(({ sample }) => sample)).toEqual([0, 1, 2, 3]);
    const sum = group.reduce((total, { advantage }) => total + (advantage as number), 0);
    expect(sum).toBeCloseTo(0, 5);
  }
  const { reward, rewards, advantage: _, logp_mean, completion, ...rest } = lines[0];
  expect(rest).toMatchObject({ step: 1, prompt_id: expect.stringMatching(/^q\d$/), token_count: 6 });
  expect(rewards).toMatchObject({ even: { weight: 1, reason: expect.stringMatching(/even ids/) } });
  expect(reward).toBeCloseTo((rewards as { even: { value: number } }).even.value, 6);
  expect(logp_mean).toBeLessThan(0);
  expect(completion).toBeTypeOf('string');
});

it('learns the same in lanes, but for the rounding of sums', async () => {
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  const base = { ...settings, max_steps: 1, save_steps: 1, rollout_units: 2, beta: 0.04 };
  await runGrpo(gpu, dir, { ...base, output_dir: a });
  const { gradients } = gpu.memory().live;
  await runGrpo(gpu, dir, { ...base, learning_lanes: 2, output_dir: b });
  expect(gpu.memory().live.gradients).toBe(gradients);
  const [[one], [two]] = [await logOf(a, 'metrics'), await logOf(b, 'metrics')];
  for (const name of ['loss', 'kl', 'entropy', 'grad_norm', 'sampling/logp_diff_max']) {
    expect(two[name], name).toBeCloseTo(one[name] as number, 4);
  }
  expect(await readFile(`${b}/completions.jsonl`, 'utf8')).toBe(
    await readFile(`${a}/completions.jsonl`, 'utf8'),
  );
});

it('raises the reward', async () => {
  const run = join(dir, 'run');
  const extra = {
    max_steps: 20,
    save_strategy: 'no',
    learning_rate: 1e-2,
    num_generations: 8,
    per_device_train_batch_size: 16,
    gradient_accumulation_steps: 1,
    rewards: [{ name: 'module', path: 'even.mjs' }],
  };
  await runGrpo(gpu, dir, { ...settings, ...extra, output_dir: run });
  const rewards = (await logOf(run, 'metrics')).map(({ reward }) => reward as number);
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b) / list.length;
  expect(mean(rewards.slice(-5))).toBeGreaterThan(mean(rewards.slice(0, 5)) + 0.2);
});

it.each([
  ['dr_grpo', { importance_sampling_level: 'sequence', delta: 4 }],
  ['cispo', { epsilon_high: 5 }],
  ['luspo', { advantage_estimator: 'reinforce_plus_plus', beta: 0.1, kl_target: 0.1 }],
  ['sapo', { entropy_coef: 0.01, top_entropy_quantile: 0.5 }],
  [
    'bnpo',
    { scale_rewards: 'batch', multi_objective_aggregation: 'normalize_then_sum', top_k: 50, top_p: 0.9 },
  ],
])('runs with %s', async (loss_type, extra) => {
  const run = join(dir, 'run');
  await runGrpo(gpu, dir, {
    ...settings,
    ...extra,
    loss_type,
    num_iterations: 2,
    max_steps: 2,
    output_dir: run,
  });
  const [, second] = await logOf(run, 'metrics');
  expect(second.loss).toBeTypeOf('number');
  expect(second.grad_norm).toBeGreaterThan(0);
  expect(second['ratio/max']).toBeGreaterThan(1);
});

it('learns from text alone', async () => {
  const text = await workspace('tiny-qwen2');
  const run = join(dir, 'run');
  await expect(runGrpo(gpu, text.dir, { ...text.settings, output_dir: run })).rejects.toThrow(
    /train.jsonl:1 has images, but a qwen2 model cannot see/,
  );
  const questions = await readFile(join(text.dir, 'train.jsonl'), 'utf8');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(join(text.dir, 'train.jsonl'), questions.replace(/"image":"[^"]*"/g, '"images":[]'));
  const result = await runGrpo(gpu, text.dir, { ...text.settings, output_dir: run, max_steps: 2 });
  expect(result.outcome).toBe('finished');
});
