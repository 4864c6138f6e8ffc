/** How fields of other trainers become ours: one rule for each, all of them in tables. */

/** A config of another trainer, its objects laid flat: `worker.rollout.n`. */
export type Source = Readonly<Record<string, unknown>>;

/** Our fields, by name. */
export type Fields = Record<string, unknown>;

/**
 * What becomes of a field: our fields, or a sentence why it has no counterpart. A rule may look at other fields of the source; it
 * is asked once for each field that is set.
 */
export type Rule = (value: unknown, source: Source) => Fields | string;

/** A trainer whose configs are read. */
export interface Origin {
  /** What people call it. */
  readonly name: string;
  /** Which of our trainers a config is for. */
  trainer(source: Source): 'sft' | 'grpo';
  /** What it does by default and we do otherwise. */
  defaults(source: Source): Fields;
  readonly rules: Readonly<Record<string, Rule>>;
  /** Starts of the names of fields that change nothing here, and why. */
  readonly needless: Readonly<Record<string, string>>;
  /** What a reader of any of its configs must know. */
  readonly remarks: readonly string[];
}

/** The same value under another name; null is what is not set. */
export function to(name: string): Rule {
  return (value) => (value === null ? {} : { [name]: value });
}

/** Values under other names; the field's name is ours where none is given. */
export function oneOf(name: string, values: Readonly<Record<string, unknown>>): Rule {
  return (value) => {
    const own = String(value);
    if (!Object.hasOwn(values, own)) return `is ${own}; known here are ${Object.keys(values).join(', ')}`;
    return values[own] === undefined ? {} : { [name]: values[own] };
  };
}

/** A field that must have one value, which is how it is here anyway. */
export function only(...accepted: unknown[]): Rule {
  return (value) => (accepted.includes(value) ? {} : `is ${JSON.stringify(value)}, which is not offered`);
}

/** A field without a counterpart, unless it is switched off. */
export function none(why: string): Rule {
  return (value) => (value === null || value === false || value === 0 ? {} : why);
}

/** Optimizers by transformers' names. */
export const OPTIMIZER = oneOf('optim', {
  adamw_torch: 'adamw_torch',
  adamw_torch_fused: 'adamw_torch',
  adamw_8bit: 'adamw_8bit',
  adamw_bnb_8bit: 'adamw_8bit',
  paged_adamw_8bit: 'adamw_8bit',
});

/** Where metrics go: ours of those that are named. */
export const reporters: Rule = (value) => {
  const names = (Array.isArray(value) ? value : [value]).map(String);
  const all = names.includes('all') ? ['tensorboard', 'wandb'] : names;
  return { report_to: all.filter((name) => name === 'tensorboard' || name === 'wandb') };
};

/** Rewards by the names of TRL and ms-swift, with their weights. */
export const rewards: Rule = (value, source) => {
  const weights = source.reward_weights;
  const names = (Array.isArray(value) ? value : [value]).map(String);
  const entries = names.map((name, i) => {
    const known = REWARDS[name.split('.').at(-1) as string] ?? { name: 'module', path: `${name}.ts` };
    return Array.isArray(weights) && typeof weights[i] === 'number'
      ? { ...known, weight: weights[i] }
      : known;
  });
  return { rewards: entries };
};

const REWARDS: Readonly<Record<string, { readonly name: string } & Fields>> = {
  accuracy: { name: 'accuracy' },
  accuracy_reward: { name: 'accuracy' },
  format: { name: 'format', style: 'think' },
  think_format_reward: { name: 'format', style: 'think' },
  cosine: { name: 'length', shape: 'cosine' },
  get_cosine_scaled_reward: { name: 'length', shape: 'cosine' },
  repetition: { name: 'repetition' },
  get_repetition_penalty_reward: { name: 'repetition' },
  soft_overlong: { name: 'length', shape: 'overlong' },
  get_soft_overlong_punishment: { name: 'length', shape: 'overlong' },
};

/** Fields of transformers' TrainingArguments that change nothing here; all that begin so. */
export const NEEDLESS_OF_TRANSFORMERS: Readonly<Record<string, string>> = {
  attn_impl: 'attention has one implementation here',
  bf16: 'arithmetic is f32, whatever the weights are stored in',
  data_seed: 'seed is that of the data, too',
  dataloader_: 'data is read ahead by itself',
  dataset_num_proc: 'data is read ahead by itself',
  ddp_: 'several machines are --workers or --join',
  deepspeed: 'several machines are --workers or --join',
  disable_tqdm: 'progress is shown anyway',
  do_: 'osler sft, grpo and eval are commands of their own',
  fp16: 'arithmetic is f32, whatever the weights are stored in',
  fsdp: 'several machines are --workers or --join',
  full_determinism: 'equal seeds always give equal runs',
  gradient_checkpointing_kwargs: 'there is one way of it',
  hub_: 'nothing is uploaded',
  log_: 'metrics.jsonl and completions.jsonl have every step',
  logging_first_step: 'metrics.jsonl has every step',
  logging_strategy: 'metrics.jsonl has every step',
  lora_task_type: 'there is one',
  num_completions_to_print: 'completions.jsonl has all of them',
  push_to_hub: 'nothing is uploaded',
  remove_unused_columns: 'rewards see all columns',
  resume_from_checkpoint: 'a run is resumed by --resume',
  save_on_each_node: 'one process writes',
  tf32: 'arithmetic is f32',
  torch_compile: 'there is no torch',
  trust_remote_code: 'no code of models is run',
  use_cache: 'rollouts always have a cache',
  use_cpu: 'the device is found by itself',
  use_liger_kernel: 'kernels are fused anyway',
  use_vllm: 'rollouts are built in',
  vllm_: 'rollouts are built in',
};
