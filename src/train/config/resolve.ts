/** Choices that follow from several fields at once, and combinations that cannot work. */
import { SCHEDULE_ARGUMENTS, type ScheduleArguments, warmupSteps } from '../../optim/index.js';
import type { TrainingConfig } from './fields.js';
import { configError } from './parse.js';

/** Which parts of the model keep their weights. */
export interface Frozen {
  readonly visionTower: boolean;
  readonly merger: boolean;
  readonly languageModel: boolean;
}

/** The freeze flags with their defaults. */
export function frozenParts(config: TrainingConfig): Frozen {
  const visionTower = config.freeze_vision_tower ?? config.use_peft;
  return {
    visionTower,
    merger: config.freeze_merger ?? visionTower,
    languageModel: config.freeze_language_model,
  };
}

/** Optimizer steps of a run. */
export function totalSteps(config: TrainingConfig, stepsPerEpoch: number): number {
  return config.max_steps > 0 ? config.max_steps : Math.ceil(config.num_train_epochs * stepsPerEpoch);
}

/** Warm-up steps of a run. */
export function warmupStepsOf(config: TrainingConfig, total: number): number {
  return warmupSteps(config.warmup_steps > 0 ? config.warmup_steps : config.warmup_ratio, total);
}

/** How the best checkpoint is found, if one is to be kept. */
export interface BestRule {
  /** Name in metrics.jsonl. */
  readonly metric: string;
  readonly greaterIsBetter: boolean;
}

/** Reads `metric_for_best_model`. */
export function bestRule(config: TrainingConfig): BestRule | null {
  const name = config.metric_for_best_model;
  if (name === null) return null;
  // `eval_loss` is what transformers calls it.
  const metric = `eval/${name.replace(/^eval[/_]/, '')}`;
  return { metric, greaterIsBetter: config.greater_is_better ?? !metric.endsWith('loss') };
}

/** Refuses what cannot work, whatever the data and the model are. */
export function checkTrainingConfig(config: TrainingConfig): void {
  const refuse = (field: string, problem: string): never => {
    throw configError(`the config's "${field}"`, problem);
  };
  const frozen = frozenParts(config);
  if (
    frozen.languageModel &&
    frozen.visionTower &&
    frozen.merger &&
    config.lora_modules_to_save.length === 0
  ) {
    refuse('freeze_language_model', 'leaves nothing to train, since the other parts are frozen too');
  }
  if (config.load_in_4bit && !config.use_peft) {
    refuse(
      'load_in_4bit',
      'stores weights that cannot train; set use_peft: true to train an adapter on them',
    );
  }
  if (config.llm_int8_skip_modules.length > 0 && !config.load_in_4bit) {
    refuse(
      'llm_int8_skip_modules',
      'is set without load_in_4bit; what files have quantised, they say themselves',
    );
  }
  if (config.adapter_name_or_path !== null && !config.use_peft) {
    refuse('adapter_name_or_path', 'is set without use_peft; set use_peft: true to train the adapter');
  }
  if (!config.lora_attention && !config.lora_mlp) {
    refuse('lora_mlp', 'is false beside lora_attention: false, so that no layer gets an adapter');
  }
  if (config.lora_modules_to_save.length > 0 && !config.use_peft) {
    refuse('lora_modules_to_save', 'is set without use_peft; without an adapter all modules train');
  }
  if (config.metric_for_best_model !== null && config.eval_strategy === 'no') {
    refuse('metric_for_best_model', 'needs an evaluation; set eval_strategy: steps');
  }
  for (const field of ['load_best_model_at_end', 'early_stopping_patience'] as const) {
    if (config[field] && config.metric_for_best_model === null) {
      refuse(field, 'needs to know what is best; set metric_for_best_model, such as loss or accuracy');
    }
  }
  if (config.warmup_ratio > 0 && config.warmup_steps > 0) {
    refuse('warmup_ratio', 'is set beside warmup_steps; give one of them');
  }
  if (config.lr_scheduler_type === 'constant' && (config.warmup_ratio > 0 || config.warmup_steps > 0)) {
    refuse('lr_scheduler_type', 'is constant, which has no warm-up; use constant_with_warmup');
  }
  checkSchedule(config, refuse);
  if (config.min_pixels !== null && config.max_pixels !== null && config.min_pixels > config.max_pixels) {
    refuse('min_pixels', `is ${config.min_pixels}, over max_pixels ${config.max_pixels}`);
  }
  if (config.optim === 'adamw_bf16' && !config.use_peft && /^float(16|32)$/.test(config.dtype)) {
    refuse('optim', `is adamw_bf16, which trains bf16 weights; set dtype: bfloat16, not ${config.dtype}`);
  }
  if (config.optimizer_in_backward) checkImmediate(config, refuse);
  if (config.save_only_model && config.save_strategy === 'no') {
    refuse('save_only_model', 'is set while save_strategy is no');
  }
}

/** A schedule has the arguments that it needs, and no others. */
function checkSchedule(config: TrainingConfig, refuse: (field: string, problem: string) => never): void {
  const { lr_scheduler_type: name, lr_scheduler_kwargs: given } = config;
  const known: readonly string[] = SCHEDULE_ARGUMENTS[name];
  const other = (Object.keys(given) as (keyof ScheduleArguments)[]).find((key) => !known.includes(key));
  if (other !== undefined) {
    const takes = known.length === 0 ? 'nothing' : known.join(', ');
    refuse(`lr_scheduler_kwargs.${other}`, `is set, but ${name} takes ${takes}`);
  }
  if (name === 'cosine_with_min_lr' && (given.min_lr === undefined) === (given.min_lr_rate === undefined)) {
    refuse('lr_scheduler_kwargs', 'needs one of min_lr and min_lr_rate for cosine_with_min_lr');
  }
  if (name === 'warmup_stable_decay' && given.num_decay_steps === undefined) {
    refuse('lr_scheduler_kwargs', 'needs num_decay_steps for warmup_stable_decay');
  }
}

/** A weight that is updated in the backward pass has one gradient, which nothing scales. */
function checkImmediate(config: TrainingConfig, refuse: (field: string, problem: string) => never): void {
  const field = 'optimizer_in_backward';
  if (config.max_grad_norm > 0) {
    refuse(
      field,
      `updates weights before the norm of all gradients is known, but max_grad_norm is ${config.max_grad_norm}; set max_grad_norm: 0, or gradient_dtype: bfloat16 in its place`,
    );
  }
  if (config.gradient_accumulation_steps > 1) {
    refuse(
      field,
      `keeps no gradients to add to, but gradient_accumulation_steps is ${config.gradient_accumulation_steps}; set gradient_accumulation_steps: 1, or gradient_dtype: bfloat16 in its place`,
    );
  }
  if (config.gradient_dtype !== 'float32') {
    refuse(
      field,
      `keeps no gradients, but gradient_dtype is ${config.gradient_dtype}; leave one of them out`,
    );
  }
}
