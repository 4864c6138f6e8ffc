/** Configs of TRL 1.x: GRPOConfig, SFTConfig, ModelConfig and ScriptArguments in one file, as `trl grpo --config` takes them. */
import {
  NEEDLESS_OF_TRANSFORMERS,
  none,
  OPTIMIZER,
  type Origin,
  oneOf,
  only,
  reporters,
  rewards,
  type Source,
  to,
} from './rules.js';

/** Fields that only GRPO has. */
const OF_GRPO = [
  'num_generations',
  'max_completion_length',
  'reward_funcs',
  'beta',
  'num_iterations',
  'epsilon',
];

function isGrpo(source: Source): boolean {
  return OF_GRPO.some((field) => field in source);
}

/** See above. */
export const trl: Origin = {
  name: 'TRL',
  trainer: (source) => (isGrpo(source) ? 'grpo' : 'sft'),
  defaults: (source) => ({
    save_total_limit: null,
    ...(isGrpo(source)
      ? { use_bias_correction_kl: source.beta !== undefined && source.beta !== 0 }
      : { overlong: 'truncate', shuffle_dataset: false }),
    ...(source.use_peft === true && source.lora_dropout === undefined ? { lora_dropout: 0.05 } : {}),
    ...(source.use_peft === true ? { freeze_vision_tower: false } : {}),
  }),
  rules: {
    dataset_name: to('train_dataset'),
    dataset_config: none('names a part of a dataset on the hub; give train_dataset the files'),
    dataset_train_split: only('train'),
    dataset_test_split: only('test'),
    dataset_streaming: only(false),
    dataset_text_field: none('names a column; osler data stats shows how records are read'),
    torch_dtype: to('dtype'),
    model_revision: only('main', null),
    optim: OPTIMIZER,
    report_to: reporters,
    reward_funcs: rewards,
    reward_weights: (_, source) => ('reward_funcs' in source ? {} : 'is set without reward_funcs'),
    top_k: (value) => ({ top_k: typeof value === 'number' && value > 0 ? value : 0 }),
    min_p: (value) => ({ min_p: value ?? 0 }),
    max_steps: (value) => ({ max_steps: typeof value === 'number' && value > 0 ? value : -1 }),
    loss_type: (value, source) => ({
      loss_type: !isGrpo(source) && (value === 'chunked_nll' || value === null) ? 'nll' : value,
    }),
    train_sampling_strategy: oneOf('group_by_length', { random: undefined, group_by_length: true }),
    packing_strategy: only('bfd'),
    padding_free: only(true, false),
    eval_packing: only(null, false),
    completion_only_loss: only(true, null),
    assistant_only_loss: only(true, false),
    truncation_mode: oneOf('overlong', { keep_start: 'truncate' }),
    save_strategy: oneOf('save_strategy', { no: 'no', steps: 'steps', epoch: 'epoch' }),
    use_bnb_nested_quant: to('bnb_4bit_use_double_quant'),
    bnb_4bit_quant_storage: only('uint8'),
    load_in_8bit: none('is not offered; load_in_4bit is'),
    label_smoothing_factor: none('is not offered'),
    neftune_noise_alpha: none('is not offered'),
    disable_dropout: only(false, true),
    use_adaptive_entropy: none('is not offered; entropy_coef stays as it is'),
    activation_offloading: none('is not offered; see docs/memory.md'),
    average_tokens_across_devices: only(true, false),
  },
  needless: NEEDLESS_OF_TRANSFORMERS,
  remarks: [
    'Batch sizes are those of one device: for a run on N, set gradient_accumulation_steps to N times as much.',
    'train_dataset must be files or folders; osler pull fetches what is on the hub.',
  ],
};
