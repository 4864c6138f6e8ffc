/** Configs of other trainers, as their users have them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import '../../platform/node/install.js';
import { GRPO_FIELDS, parseGrpoConfig } from '../../grpo/config.js';
import { SFT_FIELDS } from '../../sft/config.js';
import { config } from '../config.js';
import { runCommand } from '../test-run.js';
import { importConfig, importedText, ORIGINS } from './import.js';

const TRL = `
model_name_or_path: m
dataset_name: train.jsonl
output_dir: out
use_vllm: true
reward_funcs: [accuracy_reward, think_format_reward, my_module.lesion]
reward_weights: [1.0, 0.5, 2]
num_generations: 4
beta: 0.04
optim: adamw_torch_fused
lr_scheduler_type: cosine_with_min_lr
lr_scheduler_kwargs: {min_lr_rate: 0.1}
use_adaptive_entropy: true
max_tool_calling_iterations: 3
`;

it("TRL's: same names, its defaults, rewards with weights, and what has no counterpart", () => {
  const found = importConfig('grpo.yaml', TRL);
  expect(found).toMatchObject({ origin: 'TRL', trainer: 'grpo', problem: null });
  expect(found.fields).toMatchObject({
    train_dataset: 'train.jsonl',
    use_bias_correction_kl: true,
    optim: 'adamw_torch',
    rewards: [
      { name: 'accuracy', weight: 1 },
      { name: 'format', style: 'think', weight: 0.5 },
      { name: 'module', path: 'my_module.lesion.ts', weight: 2 },
    ],
  });
  expect(Object.keys(found.without)).toEqual(['use_adaptive_entropy', 'max_tool_calling_iterations']);
  expect(Object.keys(found.needless)).toEqual(['use_vllm']);
  // The file itself is a config, and says what it is not.
  const text = importedText(found);
  expect(text).toContain('# max_tool_calling_iterations: has no counterpart\n');
  expect(parseGrpoConfig({ file: 'run.yaml', text }).beta).toBe(0.04);
});

it("TRL's SFT is told from its GRPO", () => {
  const text =
    'model_name_or_path: m\ndataset_name: d\noutput_dir: o\nloss_type: chunked_nll\nmax_length: 512';
  const found = importConfig('sft.yaml', text);
  expect(found).toMatchObject({ trainer: 'sft', problem: null, without: {} });
  expect(found.fields).toMatchObject({ loss_type: 'nll', max_length: 512, overlong: 'truncate' });
});

it("EasyR1's: batches in prompts, and the divergence where it has it", () => {
  const found = importConfig(
    'easy.yaml',
    `
data: {train_files: data/geo3k@train, rollout_batch_size: 8, max_response_length: 64, prompt_key: problem}
algorithm: {adv_estimator: rloo, kl_coef: 0.01, kl_penalty: low_var_kl, kl_type: adaptive, kl_target: 0.2}
worker:
  actor: {global_batch_size: 4, model: {model_path: m, lora: {rank: 16, alpha: 32}}, optim: {lr: 2.0e-6}}
  rollout: {n: 5, tensor_parallel_size: 2}
trainer: {save_freq: 5, val_freq: -1}
`,
  );
  expect(found).toMatchObject({ origin: 'EasyR1', trainer: 'grpo', problem: null });
  expect(found.fields).toMatchObject({
    train_dataset: 'data/geo3k',
    num_generations: 5,
    gradient_accumulation_steps: 4,
    generation_batch_size: 40,
    advantage_estimator: 'rloo',
    beta: 0.01,
    kl_in_reward: true,
    kl_estimator: 'k3',
    kl_target: 0.2,
    use_peft: true,
    lora_r: 16,
    save_steps: 5,
    learning_rate: 2e-6,
  });
  expect(Object.keys(found.without)).toEqual(['data.prompt_key']);
});

it("ms-swift's: other names, its defaults, rates of parts", () => {
  const found = importConfig(
    'swift.json',
    JSON.stringify({
      rlhf_type: 'grpo',
      model: 'm',
      dataset: ['a.jsonl#500'],
      reward_funcs: ['accuracy', 'soft_overlong'],
      vit_lr: 1e-6,
      num_generations: 4,
      advantage_estimator: 'rloo',
      output_dir: 'o',
      deepspeed: 'zero2',
      sequence_parallel_size: 2,
    }),
  );
  expect(found).toMatchObject({ origin: 'ms-swift', trainer: 'grpo', problem: null });
  expect(found.fields).toMatchObject({
    train_dataset: 'a.jsonl',
    beta: 0.04,
    kl_in_reward: true,
    learning_rate: 1e-4,
    learning_rates: { vision_tower: 1e-6 },
    lora_r: 8,
  });
  expect(Object.keys(found.without)).toEqual(['sequence_parallel_size']);
});

it('every rule and every default leads to a field that there is', () => {
  const fields = new Set([...GRPO_FIELDS, ...SFT_FIELDS]);
  for (const { name, defaults, rules } of Object.values(ORIGINS)) {
    const given = [defaults({}), defaults({ rlhf_type: 'grpo', num_generations: 2, use_peft: true })];
    for (const value of [true, 1, 'x', 'lora', ['x']]) {
      for (const rule of Object.values(rules)) {
        const found = rule(value, {});
        if (typeof found !== 'string') given.push(found);
      }
    }
    const unknown = given.flatMap(Object.keys).filter((field) => !fields.has(field.split('.')[0]));
    expect([name, unknown]).toEqual([name, []]);
  }
});

it('is a command', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'osler-import-'));
  try {
    const [file, out] = [join(dir, 'grpo.yaml'), join(dir, 'run.yaml')];
    await writeFile(file, TRL);
    const { err } = await runCommand(config, 'config', 'import', file, '--out', out);
    expect(err).toContain('use_adaptive_entropy: is not offered');
    expect(err).toContain('not needed here: use_vllm');
    expect(await readFile(out, 'utf8')).toContain('num_generations: 4');
    await expect(runCommand(config, 'config', 'import', join(dir, 'none.yaml'))).rejects.toThrow(/none.yaml/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
