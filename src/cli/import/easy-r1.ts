/** Configs of EasyR1 (a verl): groups of fields for data, algorithm, worker and trainer. */
import { none, type Origin, oneOf, only, type Rule, reporters, type Source, to } from './rules.js';

const OF = (source: Source, field: string, otherwise: number) =>
  typeof source[field] === 'number' ? (source[field] as number) : otherwise;

/** A batch is counted in prompts; a micro-batch here is one group. */
function batches(source: Source) {
  const group = OF(source, 'worker.rollout.n', 1);
  return {
    num_generations: group,
    per_device_train_batch_size: group,
    gradient_accumulation_steps: OF(source, 'worker.actor.global_batch_size', 256),
    generation_batch_size: OF(source, 'data.rollout_batch_size', 512) * group,
  };
}

/** Data is `path@split`. */
const dataset =
  (name: string): Rule =>
  (value) => ({ [name]: String(value).replace(/@\w+$/, '') });

/** Where there is no reference, there is no divergence. */
function divergence(source: Source) {
  if (source['algorithm.disable_kl'] === true) return { beta: 0 };
  const inReward = source['algorithm.use_kl_loss'] !== true;
  return { beta: OF(source, 'algorithm.kl_coef', 1e-3), ...(inReward ? { kl_in_reward: true } : {}) };
}

const filter: Rule = (value, source) =>
  value === true
    ? {
        online_filter: {
          low: OF(source, 'algorithm.filter_low', 0.01),
          high: OF(source, 'algorithm.filter_high', 0.99),
        },
      }
    : {};

const handled: Rule = () => ({});

/** See above. */
export const easyR1: Origin = {
  name: 'EasyR1',
  trainer: () => 'grpo',
  defaults: (source) => ({
    ...batches(source),
    ...divergence(source),
    kl_estimator: source['algorithm.disable_kl'] === true ? 'k3' : 'k1',
    epsilon: 0.2,
    epsilon_high: 0.3,
    delta: 3,
    learning_rate: 1e-6,
    weight_decay: 0.01,
    lr_scheduler_type: 'constant',
    max_prompt_length: 512,
    max_completion_length: 512,
    num_train_epochs: 15,
    min_pixels: 262144,
    max_pixels: 4194304,
    seed: 1,
    save_strategy: 'no',
    output_dir: `checkpoints/${source['trainer.project_name'] ?? 'easy_r1'}/${source['trainer.experiment_name'] ?? 'demo'}`,
  }),
  rules: {
    'data.train_files': dataset('train_dataset'),
    'data.val_files': dataset('eval_dataset'),
    'data.max_prompt_length': to('max_prompt_length'),
    'data.max_response_length': to('max_completion_length'),
    'data.rollout_batch_size': handled,
    'data.shuffle': to('shuffle_dataset'),
    'data.seed': to('seed'),
    'data.min_pixels': to('min_pixels'),
    'data.max_pixels': to('max_pixels'),
    'data.override_chat_template': to('chat_template_path'),
    'data.filter_overlong_prompts': (value) => ({ overlong: value ? 'drop' : 'error' }),
    'data.format_prompt': none(
      'is a Jinja file; write its words into prompt_template, with {Question} in them',
    ),
    'algorithm.adv_estimator': (value) =>
      value === 'gae' ? { algorithm: 'ppo' } : { advantage_estimator: value === 'grpo' ? 'group' : value },
    'algorithm.gamma': to('gamma'),
    'algorithm.lam': to('gae_lambda'),
    'algorithm.disable_kl': handled,
    'algorithm.use_kl_loss': handled,
    'algorithm.kl_coef': handled,
    'algorithm.kl_penalty': oneOf('kl_estimator', { kl: 'k1', mse: 'k2', low_var_kl: 'k3' }),
    'algorithm.kl_type': (value, source) =>
      value === 'adaptive' ? { kl_target: OF(source, 'algorithm.kl_target', 0.1) } : {},
    'algorithm.kl_target': handled,
    'algorithm.kl_horizon': to('kl_horizon'),
    'algorithm.online_filtering': filter,
    'algorithm.filter_key': only('overall'),
    'algorithm.filter_low': handled,
    'algorithm.filter_high': handled,
    'worker.actor.global_batch_size': handled,
    'worker.actor.max_grad_norm': to('max_grad_norm'),
    'worker.actor.clip_ratio_low': to('epsilon'),
    'worker.actor.clip_ratio_high': to('epsilon_high'),
    'worker.actor.clip_ratio_dual': to('delta'),
    'worker.actor.loss_avg_mode': oneOf('loss_type', { token: 'dapo', seq: 'grpo' }),
    'worker.actor.loss_type': (value) =>
      ({
        default: {},
        gspo: { importance_sampling_level: 'sequence', loss_type: 'grpo' },
        cispo: { loss_type: 'cispo' },
        sapo: { loss_type: 'sapo' },
      })[String(value)] ?? `is ${value}; known here are default, gspo, cispo and sapo`,
    'worker.actor.tau_positive': to('sapo_temperature_pos'),
    'worker.actor.tau_negative': to('sapo_temperature_neg'),
    'worker.actor.ppo_epochs': to('num_iterations'),
    'worker.actor.model.model_path': to('model_name_or_path'),
    'worker.actor.model.enable_gradient_checkpointing': to('gradient_checkpointing'),
    'worker.actor.model.freeze_vision_tower': to('freeze_vision_tower'),
    'worker.actor.model.lora.rank': (value) =>
      typeof value === 'number' && value > 0 ? { use_peft: true, lora_r: value } : {},
    'worker.actor.model.lora.alpha': (value, source) =>
      OF(source, 'worker.actor.model.lora.rank', 0) > 0 ? { lora_alpha: value } : {},
    'worker.actor.model.lora.target_modules': (value, source) =>
      OF(source, 'worker.actor.model.lora.rank', 0) > 0
        ? { lora_target_modules: value === 'all-linear' ? value : String(value).split(',') }
        : {},
    'worker.actor.model.lora.exclude_modules': (value, source) =>
      OF(source, 'worker.actor.model.lora.rank', 0) > 0 && value !== null
        ? { lora_exclude_modules: value }
        : {},
    'worker.actor.optim.lr': to('learning_rate'),
    'worker.actor.optim.weight_decay': to('weight_decay'),
    'worker.actor.optim.strategy': oneOf('optim', { adamw: 'adamw_torch', adamw_bf16: 'adamw_bf16' }),
    'worker.actor.optim.lr_scheduler_type': oneOf('lr_scheduler_type', {
      constant: 'constant',
      cosine: 'cosine',
    }),
    'worker.actor.optim.lr_warmup_ratio': (value) =>
      typeof value === 'number' && value > 0
        ? { warmup_ratio: value, lr_scheduler_type: 'constant_with_warmup' }
        : {},
    'worker.rollout.n': handled,
    'worker.rollout.temperature': to('temperature'),
    'worker.rollout.top_p': to('top_p'),
    'worker.rollout.top_k': (value) => ({ top_k: typeof value === 'number' && value > 0 ? value : 0 }),
    'worker.rollout.val_override_config.temperature': to('eval_temperature'),
    'worker.rollout.val_override_config.n': to('num_generations_eval'),
    'worker.rollout.val_override_config.top_p': none('evaluations draw with top_p of the run'),
    'worker.reward.reward_function': none(
      'is Python; write it as a module and name that in rewards (docs/questions.md)',
    ),
    'trainer.total_epochs': to('num_train_epochs'),
    'trainer.max_steps': (value) => ({ max_steps: typeof value === 'number' && value > 0 ? value : -1 }),
    'trainer.project_name': handled,
    'trainer.experiment_name': handled,
    'trainer.logger': reporters,
    'trainer.max_try_make_batch': (value) =>
      typeof value === 'number' && value > 0 ? { max_resampling_rounds: value } : {},
    'trainer.val_freq': (value) =>
      typeof value === 'number' && value > 0 ? { eval_strategy: 'steps', eval_steps: value } : {},
    'trainer.val_before_train': to('eval_on_start'),
    'trainer.save_freq': (value) =>
      typeof value === 'number' && value > 0 ? { save_strategy: 'steps', save_steps: value } : {},
    'trainer.save_limit': (value) => ({
      save_total_limit: typeof value === 'number' && value > 0 ? value : null,
    }),
    'trainer.save_model_only': to('save_only_model'),
    'trainer.save_checkpoint_path': (value) => (value === null ? {} : { output_dir: value }),
  },
  needless: {
    'data.val_batch_size': 'evaluations take per_device_eval_batch_size',
    'data.filter_overlong_prompts_workers': 'data is read ahead by itself',
    'worker.actor.micro_batch_size_per_device': 'a micro-batch is one group',
    'worker.actor.fsdp': 'several machines are --workers or --join',
    'worker.actor.offload': 'weights and optimizer stay on the device',
    'worker.actor.padding_free': 'no pass has padding',
    'worker.actor.dynamic_batching': 'no pass has padding',
    'worker.actor.ulysses_size': 'several machines are --workers or --join',
    'worker.actor.use_torch_compile': 'there is no torch',
    'worker.actor.model.trust_remote_code': 'no code of models is run',
    'worker.ref': 'the reference is loaded as the model is',
    'worker.critic': 'the value head lies on the model',
    'worker.rollout.gpu_memory_utilization': 'rollouts are built in',
    'worker.rollout.enforce_eager': 'rollouts are built in',
    'worker.rollout.enable_chunked_prefill': 'rollouts are built in',
    'worker.rollout.tensor_parallel_size': 'rollouts are built in',
    'worker.rollout.disable_tqdm': 'progress is shown anyway',
    'worker.rollout.limit_images': 'questions may have any number of pictures',
    'trainer.nnodes': 'several machines are --workers or --join',
    'trainer.n_gpus_per_node': 'several machines are --workers or --join',
    'trainer.val_generations_to_log': 'completions.jsonl has all of them',
    'trainer.val_only': 'osler eval is a command of its own',
    'trainer.load_checkpoint_path': 'a run is resumed by --resume',
    'trainer.find_last_checkpoint': 'a run is resumed by --resume',
  },
  remarks: [
    'A micro-batch is one group here, which changes no result; a larger per_device_train_batch_size is faster where memory allows.',
    'train_dataset must be files or folders; osler pull fetches what is on the hub.',
  ],
};
