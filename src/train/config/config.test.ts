import { expect, it } from 'vitest';
import { z } from 'zod';
import {
  bestRule,
  checkTrainingConfig,
  frozenParts,
  parseConfigFile,
  type TrainingConfig,
  totalSteps,
  trainingFields,
  warmupStepsOf,
} from './index.js';

const schema = z.strictObject(trainingFields);
const NEEDED = 'model_name_or_path: m\noutput_dir: o\n';

function read(text: string, set: string[] = []): TrainingConfig {
  return parseConfigFile(schema, { file: 'run.yaml', text: NEEDED + text, set });
}

function checked(text: string): TrainingConfig {
  const config = read(text);
  checkTrainingConfig(config);
  return config;
}

it('fills in defaults and takes what --set says', () => {
  const config = read('learning_rate: 1e-4\n', [
    'max_steps=7',
    'learning_rates.merger=1e-3',
    'report_to=[tensorboard]',
  ]);
  expect(config).toMatchObject({ learning_rate: 1e-4, max_steps: 7, lr_scheduler_type: 'linear', seed: 42 });
  expect(config.learning_rates).toEqual({ merger: 1e-3 });
  expect(config.report_to).toEqual(['tensorboard']);
  expect(read('seed: 1', ['seed=2', 'seed=3']).seed).toBe(3);
});

it.each([
  ['learning_rat: 1', [], /run\.yaml: "learning_rat" is not a field; did you mean "learning_rate"\?/],
  ['zzz_qqq_xxx: 1', [], /"zzz_qqq_xxx" is not a field$/],
  [
    'learning_rates: {merg: 1}',
    [],
    /"learning_rates.merg" is not a field; did you mean "learning_rates.merger"\?/,
  ],
  ['learning_rate: -1', [], /"learning_rate" is -1; expected a number of more than 0/],
  ['learning_rate: fast', [], /"learning_rate" is "fast"; expected a number/],
  ['lr_scheduler_type: cosin', [], /"lr_scheduler_type" is "cosin"; allowed are constant, .*linear, cosine/],
  ['per_device_train_batch_size: 1.5', [], /"per_device_train_batch_size" is 1.5; expected a whole number/],
  ['activation_offloading: true', [], /"activation_offloading" is not offered: it would save 8%/],
  ['max_steps: 0', [], /"max_steps" is 0; expected/],
  ['report_to: [mlflow]', [], /"report_to.0" is "mlflow"; allowed are tensorboard, wandb/],
  ['use_peft: 3', [], /"use_peft" is 3; expected true or false/],
  ['seed: 1\nseed: 2', [], /run\.yaml is not YAML: .*unique/],
  ['[1, 2', [], /is not YAML: .*[^:]$/],
  ['', ['max_steps=[1'], /^--set max_steps=\[1 has a value that is not YAML: .*[^:]$/],
  ['', ['seed=1', 'seed=fast'], /^--set seed=fast: "seed" is "fast"; expected a number$/],
  ['', ['report_to=[mlflow]'], /^--set report_to=\[mlflow\]: "report_to.0" is "mlflow"; allowed/],
  ['', ['learning_rat=1'], /^--set learning_rat=1: "learning_rat" is not a field; did you mean/],
  ['zzz: 1\nadam_beta1: 1', ['seed=-1'], /^run\.yaml: .*"adam_beta1" is 1.*; --set seed=-1: "seed" is -1;/],
  ['', ['learning_rate'], /--set learning_rate has no "="/],
  ['', ['seed.x=1', 'seed.x.y=2'], /goes below "x", which is a value/],
  ['', ['__proto__.polluted=1'], /"polluted" is not a field/],
] as [string, string[], RegExp][])('names what is wrong: %j %j', (text, set, message) => {
  expect(() => read(text, set)).toThrow(message);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

it('names every mistake and what is missing', () => {
  const broken = () => parseConfigFile(schema, { file: 'x.yaml', text: 'seed: -1\nadam_beta1: 1' });
  expect(broken).toThrow(/"model_name_or_path" is missing.*"adam_beta1" is 1; .*less than 1.*"seed" is -1/);
  expect(() => parseConfigFile(schema, { file: 'x.yaml', text: '- a' })).toThrow(/x\.yaml is not a list of/);
});

it.each([
  [
    'freeze_vision_tower: true\nfreeze_language_model: true',
    /"freeze_language_model" leaves nothing to train/,
  ],
  ['adapter_name_or_path: a', /"adapter_name_or_path" is set without use_peft/],
  ['lora_modules_to_save: [lm_head]', /"lora_modules_to_save" is set without use_peft/],
  ['metric_for_best_model: loss', /"metric_for_best_model" needs an evaluation/],
  ['warmup_ratio: 0.1\nwarmup_steps: 5', /"warmup_ratio" is set beside warmup_steps/],
  ['lr_scheduler_type: constant\nwarmup_steps: 5', /use constant_with_warmup/],
  ['lr_scheduler_kwargs: {min_lr: 1e-6}', /"lr_scheduler_kwargs.min_lr" is set, but linear takes nothing/],
  ['lr_scheduler_type: cosine_with_min_lr', /"lr_scheduler_kwargs" needs one of min_lr and min_lr_rate/],
  ['min_pixels: 9\nmax_pixels: 4', /"min_pixels" is 9, over max_pixels 4/],
  ['save_only_model: true\nsave_strategy: no', /"save_only_model" is set while/],
] as [string, RegExp][])('refuses what cannot work: %j', (text, message) => {
  expect(() => checked(text)).toThrow(message);
});

it('resolves what depends on several fields', () => {
  expect(frozenParts(checked(''))).toEqual({ visionTower: false, merger: false, languageModel: false });
  expect(frozenParts(checked('use_peft: true'))).toMatchObject({ visionTower: true, merger: true });
  expect(frozenParts(checked('freeze_vision_tower: true\nfreeze_merger: false'))).toMatchObject({
    merger: false,
  });
  expect(totalSteps(checked('num_train_epochs: 2.5'), 3)).toBe(8);
  expect(totalSteps(checked('max_steps: 4'), 3)).toBe(4);
  expect(warmupStepsOf(checked('warmup_ratio: 0.1'), 25)).toBe(3);
  expect(warmupStepsOf(checked('warmup_steps: 0.5'), 10)).toBe(5);
  const best = (text: string) => bestRule(checked(`eval_strategy: steps\n${text}`));
  expect(best('')).toBeNull();
  expect(best('metric_for_best_model: eval_loss')).toEqual({ metric: 'eval/loss', greaterIsBetter: false });
  expect(best('metric_for_best_model: reward')).toEqual({ metric: 'eval/reward', greaterIsBetter: true });
});
