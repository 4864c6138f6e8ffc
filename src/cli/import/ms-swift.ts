/** Configs of ms-swift: the arguments of `swift sft` and `swift rlhf` in a file. */
import {
  type Fields,
  NEEDLESS_OF_TRANSFORMERS,
  none,
  OPTIMIZER,
  type Origin,
  oneOf,
  only,
  type Rule,
  reporters,
  rewards,
  type Source,
  to,
} from './rules.js';

function isGrpo(source: Source): boolean {
  return 'rlhf_type' in source;
}

function isLora(source: Source): boolean {
  return (source.tuner_type ?? source.train_type ?? 'lora') === 'lora';
}

/** Datasets are `path#count`. */
const dataset =
  (name: string): Rule =>
  (value) => {
    const paths = (Array.isArray(value) ? value : String(value).split(/\s+/)).map((path) =>
      String(path).replace(/#\d+$/, ''),
    );
    return { [name]: paths.length === 1 ? paths[0] : paths };
  };

const tuner = oneOf('use_peft', { lora: true, full: false });

/** What an estimator does by default with the divergence and with rewards. */
const ESTIMATORS: Readonly<Record<string, Fields>> = {
  grpo: {},
  rloo: { advantage_estimator: 'rloo' },
};

/** See above. */
export const msSwift: Origin = {
  name: 'ms-swift',
  trainer: (source) => (isGrpo(source) ? 'grpo' : 'sft'),
  defaults: (source) => {
    const lora = isLora(source);
    return {
      learning_rate: lora ? 1e-4 : 1e-5,
      save_total_limit: null,
      weight_decay: 0.1,
      adam_beta2: 0.95,
      lr_scheduler_type: 'cosine',
      per_device_train_batch_size: 1,
      ...(lora ? { use_peft: true, lora_r: 8, lora_alpha: 32, lora_dropout: 0.05 } : {}),
      freeze_vision_tower: true,
      freeze_merger: true,
      ...(isGrpo(source)
        ? {
            loss_type: 'grpo',
            beta: 0.04,
            temperature: 0.9,
            per_device_train_batch_size: source.num_generations ?? 8,
          }
        : {}),
      ...(isGrpo(source) && source.advantage_estimator === 'rloo' && source.beta !== 0
        ? { kl_in_reward: source.kl_in_reward ?? true }
        : {}),
    };
  },
  rules: {
    model: to('model_name_or_path'),
    rlhf_type: only('grpo'),
    dataset: dataset('train_dataset'),
    val_dataset: dataset('eval_dataset'),
    split_dataset_ratio: (value) => (value === 0 ? {} : { eval_fraction: value }),
    tuner_type: tuner,
    train_type: tuner,
    lora_rank: to('lora_r'),
    target_modules: (value) => ({
      lora_target_modules: Array.isArray(value) && value.length === 1 ? value[0] : value,
    }),
    exclude_modules: to('lora_exclude_modules'),
    target_regex: to('lora_target_modules'),
    modules_to_save: to('lora_modules_to_save'),
    freeze_vit: to('freeze_vision_tower'),
    freeze_aligner: to('freeze_merger'),
    freeze_llm: to('freeze_language_model'),
    vit_lr: (value) => (value === null ? {} : { 'learning_rates.vision_tower': value }),
    aligner_lr: (value) => (value === null ? {} : { 'learning_rates.merger': value }),
    torch_dtype: to('dtype'),
    quant_method: only('bnb', null),
    quant_bits: (value) =>
      value === null
        ? {}
        : value === 4
          ? { load_in_4bit: true }
          : `is ${value}; load_in_4bit is what there is`,
    system: to('system_prompt'),
    max_length: (value, source) => (isGrpo(source) ? { max_prompt_length: value } : { max_length: value }),
    truncation_strategy: oneOf('overlong', { delete: 'drop', raise: 'error', right: 'truncate' }),
    optim: OPTIMIZER,
    report_to: reporters,
    reward_funcs: rewards,
    reward_weights: (_, source) => ('reward_funcs' in source ? {} : 'is set without reward_funcs'),
    reward_model: none('is not offered; judge and embedding ask an endpoint'),
    advantage_estimator: (value) =>
      ESTIMATORS[String(value)] ??
      `is ${value}, which ms-swift computes otherwise than the reinforce_plus_plus of here; known are grpo and rloo`,
    scale_rewards: oneOf('scale_rewards', { group: 'group', batch: 'batch', none: 'none' }),
    dynamic_sample: to('dynamic_sampling'),
    max_resample_times: to('max_resampling_rounds'),
    overlong_filter: to('mask_truncated_completions'),
    top_k: (value) => ({ top_k: typeof value === 'number' && value > 0 ? value : 0 }),
    off_policy_sequence_mask_delta: to('off_policy_mask_threshold'),
    early_stop_interval: to('early_stopping_patience'),
    loss_scale: only('default', 'last_round'),
    template: none('is that of the checkpoint here; chat_template_path takes another'),
    use_dft_loss: (value) => (value ? { loss_type: 'dft' } : {}),
    enable_dft_loss: (value) => (value ? { loss_type: 'dft' } : {}),
  },
  needless: {
    ...NEEDLESS_OF_TRANSFORMERS,
    add_version: 'a run is in output_dir itself',
    async_generate: 'rollouts are built in',
    load_from_cache_file: 'data is read ahead by itself',
    model_type: 'config.json says it',
    move_model_batches: 'rollouts are built in',
    offload_: 'weights and optimizer stay on the device',
    padding_free: 'no pass has padding',
    sleep_level: 'rollouts are built in',
    use_hf: 'nothing is fetched by a run',
  },
  remarks: [
    'Batch sizes are those of one device: for a run on N, set gradient_accumulation_steps to N times as much.',
    'train_dataset must be files or folders; osler pull fetches what is on the hub.',
  ],
};
