/** The fields that all trainers share, named as in transformers' TrainingArguments and TRL's configs. */

import { z } from 'zod';
import { OPTIMIZERS, RAMPS, SCHEDULES } from '../../optim/index.js';
import { TORCH_FLOATS } from '../../tensor/index.js';

const positive = z.number().positive();
const notNegative = z.number().nonnegative();
const count = z.int().positive();
const share = z.number().min(0).lt(1);

/** Metric writers beside `metrics.jsonl`. */
export const REPORTERS = ['tensorboard', 'wandb'] as const;

/** Fields of a run, with defaults that trainers override where theirs differ. */
export const trainingFields = {
  // Model
  /** Folder of the model to start from. */
  model_name_or_path: z.string().min(1),
  /** Folder of a LoRA adapter to go on with; a new one is made by default. */
  adapter_name_or_path: z.string().min(1).nullable().default(null),
  /** A Jinja file, or a model folder, whose chat template is used in place of the model's own, and saved with checkpoints. */
  chat_template_path: z.string().min(1).nullable().default(null),
  /** How weights are stored on the device; `auto` keeps what the files have. Masters of 16-bit weights: see `optim`. */
  dtype: z.enum(['auto', ...TORCH_FLOATS]).default('auto'),
  /** Quantises linear layers while they are loaded, but for those that the files have quantised; with `use_peft` only. */
  load_in_4bit: z.boolean().default(false),
  bnb_4bit_quant_type: z.enum(['nf4']).default('nf4'),
  /** Magnitudes of blocks are rounded to 8 bits, too. */
  bnb_4bit_use_double_quant: z.boolean().default(false),
  /** What bitsandbytes would round weights to before it multiplies; arithmetic is f32 here, whatever this says. */
  bnb_4bit_compute_dtype: z.enum(['auto', ...TORCH_FLOATS]).default('auto'),
  /** Modules that `load_in_4bit` leaves as they are, by their paths or words of them. The output head always stays. */
  llm_int8_skip_modules: z.array(z.string().min(1)).default([]),
  /** Limits of the pixels of an image after resizing; the checkpoint's own by default. */
  min_pixels: count.nullable().default(null),
  max_pixels: count.nullable().default(null),

  // What trains
  /** Train a LoRA adapter instead of the weights. */
  use_peft: z.boolean().default(false),
  lora_r: count.default(16),
  lora_alpha: positive.default(32),
  lora_dropout: share.default(0),
  /** `all-linear`, a list of module names, or a regular expression on module paths. */
  lora_target_modules: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).default('all-linear'),
  /** Modules that get no adapter, by names or a regular expression, as `lora_target_modules`. */
  lora_exclude_modules: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .nullable()
    .default(null),
  /** Ranks, and alphas, of modules whose path ends with a match of the key. */
  lora_rank_pattern: z.record(z.string().min(1), count).default({}),
  lora_alpha_pattern: z.record(z.string().min(1), positive).default({}),
  /** Whether attention, and whether MLPs (a merger's too), get an adapter. */
  lora_attention: z.boolean().default(true),
  lora_mlp: z.boolean().default(true),
  /** Modules that train whole beside the adapter. */
  lora_modules_to_save: z.array(z.string().min(1)).default([]),
  use_rslora: z.boolean().default(false),
  /** Keeps the vision tower (but not its merger) as it is; true by default with `use_peft`, else false. */
  freeze_vision_tower: z.boolean().nullable().default(null),
  /** Keeps the merger, which maps vision features to the language model, as it is; as `freeze_vision_tower` by default. */
  freeze_merger: z.boolean().nullable().default(null),
  freeze_language_model: z.boolean().default(false),

  // Optimisation
  learning_rate: positive.default(5e-5),
  /** Learning rates of parts that shall not have `learning_rate`. */
  learning_rates: z
    .strictObject({
      vision_tower: positive.optional(),
      merger: positive.optional(),
      language_model: positive.optional(),
      /** Weights that a trainer adds to the model, such as PPO's value head. */
      extra: positive.optional(),
    })
    .default({}),
  /**
   * `adamw_torch` has 12 bytes of state for a 16-bit weight: moments and a master in f32. `adamw_8bit` has 6: moments in
   * 8 bits, as in bitsandbytes. `adamw_bf16` has 2: no master either, bf16 weights are rounded at random.
   */
  optim: z.enum(OPTIMIZERS).default('adamw_torch'),
  /** How gradients of weights are kept until the update; `bfloat16` rounds each once its pass is over. */
  gradient_dtype: z.enum(['float32', 'bfloat16']).default('float32'),
  /** Updates each weight as soon as its gradient is there and keeps none; needs `max_grad_norm: 0` and no accumulation. */
  optimizer_in_backward: z.boolean().default(false),
  lr_scheduler_type: z.enum(SCHEDULES).default('linear'),
  /**
   * What the schedule is told: `num_cycles` of a cosine; `min_lr` or `min_lr_rate` where `cosine_with_min_lr` ends; for
   * `warmup_stable_decay` `num_decay_steps`, and what else transformers has for it.
   */
  lr_scheduler_kwargs: z
    .strictObject({
      num_cycles: positive.optional(),
      min_lr: notNegative.optional(),
      min_lr_rate: z.number().min(0).max(1).optional(),
      num_decay_steps: count.optional(),
      num_stable_steps: z.int().nonnegative().optional(),
      warmup_type: z.enum(RAMPS).optional(),
      decay_type: z.enum(RAMPS).optional(),
      min_lr_ratio: z.number().min(0).max(1).optional(),
    })
    .default({}),
  /** Steps, or a share of the run when below 1. */
  warmup_steps: notNegative.default(0),
  /** The older name of a `warmup_steps` below 1. */
  warmup_ratio: share.default(0),
  /** Decoupled; norms and biases have none. */
  weight_decay: notNegative.default(0),
  adam_beta1: share.default(0.9),
  adam_beta2: share.default(0.999),
  adam_epsilon: notNegative.default(1e-8),
  /** Limit of the global gradient norm; 0 for none. */
  max_grad_norm: notNegative.default(1),
  /** Ends the run after this many steps in a row that were skipped because a gradient was not finite. */
  max_nonfinite_steps: count.default(5),

  // Length and batches
  num_train_epochs: positive.default(3),
  /** Optimizer steps; -1 leaves the length to `num_train_epochs`. */
  max_steps: z.union([z.literal(-1), count]).default(-1),
  /** Rows of a micro-batch. One device computes one, so this is the whole of it; the name is that of transformers. */
  per_device_train_batch_size: count.default(8),
  per_device_eval_batch_size: count.default(8),
  /** Micro-batches of an optimizer step. */
  gradient_accumulation_steps: count.default(1),
  /** Computes activations again in the backward pass instead of keeping them. */
  gradient_checkpointing: z.boolean().default(true),
  /**
   * Measures variants of the matrix product on the run's own shapes before its first step, for some seconds, and keeps the
   * fastest for the whole run; by default on GPUs, and not on software drivers.
   */
  tune_kernels: z.boolean().nullable().default(null),
  seed: z
    .int()
    .nonnegative()
    .max(2 ** 32 - 1)
    .default(42),

  // Evaluation, checkpoints, logs
  output_dir: z.string().min(1),
  /** Replaces a run that is in `output_dir`. */
  overwrite_output_dir: z.boolean().default(false),
  eval_strategy: z.enum(['no', 'steps', 'epoch']).default('no'),
  /** Steps, with `eval_strategy: steps`. */
  eval_steps: count.default(500),
  /** Evaluates before the first step, too. */
  eval_on_start: z.boolean().default(false),
  save_strategy: z.enum(['no', 'steps', 'epoch']).default('steps'),
  save_steps: count.default(500),
  /** Checkpoints that are kept, the best one not counted; null keeps all. */
  save_total_limit: count.nullable().default(3),
  /** Leaves out the optimizer and all that a resume needs. */
  save_only_model: z.boolean().default(false),
  /** Metric, with or without its prefix `eval/`, of which the best checkpoint is kept. */
  metric_for_best_model: z.string().min(1).nullable().default(null),
  /** By default true for metrics whose name does not end with `loss`. */
  greater_is_better: z.boolean().nullable().default(null),
  /** Names the best checkpoint, and not the last, as what came of the run. */
  load_best_model_at_end: z.boolean().default(false),
  /** Ends the run after so many evaluations in a row that are not better than the best before. */
  early_stopping_patience: count.nullable().default(null),
  /** By how much an evaluation must be better to count as such. */
  early_stopping_threshold: notNegative.default(0),
  /** Steps between lines on the console; every step is in metrics.jsonl. */
  logging_steps: count.default(10),
  /** `tensorboard` writes event files; `wandb` an offline run, which `wandb sync` sends. */
  report_to: z.array(z.enum(REPORTERS)).default([]),
  /** Name of the run on the site of Weights & Biases. */
  run_name: z.string().min(1).nullable().default(null),
  /**
   * Memory for what a frozen vision tower gives for pictures, in GiB: kept from step to step and over epochs, so that a picture
   * goes through the tower once. 0 keeps nothing.
   */
  vision_cache_gib: notNegative.default(1),
  /** Where that memory is; the device's counts in the memory plan. */
  vision_cache_device: z.enum(['host', 'device']).default('host'),
  /** Device memory that the run may use, in GiB; found out where the adapter allows it by default. */
  device_memory_gib: positive.nullable().default(null),
};

/** Fields that say where a run writes, how often, and what it shows: the bytes of a checkpoint do not depend on them. */
export const OUTPUT_FIELDS = [
  'overwrite_output_dir',
  'output_dir',
  'save_strategy',
  'save_steps',
  'save_total_limit',
  'save_only_model',
  'logging_steps',
  'report_to',
  'run_name',
  'vision_cache_gib',
  'vision_cache_device',
  'device_memory_gib',
] as const;

/** Fields that a resumed run may have otherwise than before: they do not change what the steps compute. */
export const FREE_FIELDS: ReadonlySet<string> = new Set([
  ...OUTPUT_FIELDS,
  'max_steps',
  'num_train_epochs',
  'max_nonfinite_steps',
  'load_best_model_at_end',
  'early_stopping_patience',
  'early_stopping_threshold',
  // A resumed run takes the kernels that it had.
  'tune_kernels',
]);

/** What a field is by default; undefined where it has no default, or is not one of those that all trainers share. */
export function defaultOf(field: string): unknown {
  if (!Object.hasOwn(trainingFields, field)) return undefined;
  return trainingFields[field as keyof typeof trainingFields].safeParse(undefined).data;
}

const trainingSchema = z.strictObject(trainingFields);

/** The shared part of a run's config, complete. */
export type TrainingConfig = z.output<typeof trainingSchema>;
