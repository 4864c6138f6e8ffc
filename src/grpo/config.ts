/** The config of GRPO and PPO; names and defaults are TRL's where the meaning is. */

import { z } from 'zod';
import { TORCH_FLOATS } from '../tensor/index.js';
import {
  type ConfigSource,
  checkTrainingConfig,
  configError,
  dataFields,
  parseConfigFile,
  trainingFields,
} from '../train/config/index.js';
import { REWARD_SCALES } from './advantages.js';
import { planBatches } from './batches.js';
import { IMPORTANCE_LEVELS, LOSS_DEFAULTS, LOSS_TYPES, type LossSettings } from './loss/settings.js';
import { rewardsField } from './rewards/index.js';

const count = z.int().positive();
const positive = z.number().positive();
const notNegative = z.number().nonnegative();
const share = z.number().gt(0).max(1);

const schema = z.strictObject({
  ...trainingFields,
  ...dataFields,
  learning_rate: positive.default(1e-6),
  /** `ppo` has advantages per token from a value head, all else is shared. */
  algorithm: z.enum(['grpo', 'ppo']).default('grpo'),

  // Prompts
  /** Puts the options of a question into another order each time it is asked. */
  shuffle_options: z.boolean().default(false),
  shuffle_dataset: z.boolean().default(true),
  /** Most tokens of a prompt, images included; null for no limit but the model's. Prompts are never cut. */
  max_prompt_length: count.nullable().default(null),
  /** What happens to longer prompts: `drop` leaves them out, `error` refuses the data. */
  overlong: z.enum(['drop', 'error']).default('drop'),

  // Rollouts
  /** Completions of a prompt. */
  num_generations: count.default(8),
  max_completion_length: count.default(512),
  /** Micro-batches that one round of rollouts serves, a multiple of gradient_accumulation_steps, which it is by default. */
  steps_per_generation: count.nullable().default(null),
  /** Completions of a round of rollouts; another way to set `steps_per_generation`. */
  generation_batch_size: count.nullable().default(null),
  /** Times that a round's completions are learned from. */
  num_iterations: count.default(1),
  /** Of the sampler and of the loss. */
  temperature: positive.default(1),
  top_p: share.default(1),
  top_k: z.int().nonnegative().default(0),
  min_p: z.number().min(0).max(1).default(0),
  repetition_penalty: positive.default(1),
  /** Completions that are generated together; all of a round by default. */
  rollout_batch_size: count.nullable().default(null),
  /** Storage of keys and values in rollouts. 16 bits halve the memory, and log-probabilities are then computed anew. */
  kv_cache_dtype: z.enum(TORCH_FLOATS).default('float32'),
  /** Draws other prompts for groups whose rewards are all equal (DAPO), at most this often in a round. */
  dynamic_sampling: z.boolean().default(false),
  max_resampling_rounds: count.default(3),

  // Rewards and advantages
  rewards: rewardsField.default(() => rewardsField.parse(['accuracy', 'format'])),
  scale_rewards: z
    .union([z.enum(REWARD_SCALES), z.boolean().transform((on) => (on ? 'group' : 'none'))])
    .default('group'),
  multi_objective_aggregation: z
    .enum(['sum_then_normalize', 'normalize_then_sum'])
    .default('sum_then_normalize'),
  /** Learns nothing from completions that the cap on tokens cut off. */
  mask_truncated_completions: z.boolean().default(false),

  // Loss
  loss_type: z.enum(LOSS_TYPES).default(LOSS_DEFAULTS.lossType),
  importance_sampling_level: z.enum(IMPORTANCE_LEVELS).default(LOSS_DEFAULTS.importanceSamplingLevel),
  epsilon: notNegative.default(LOSS_DEFAULTS.epsilon),
  /** `epsilon` by default. */
  epsilon_high: notNegative.nullable().default(null),
  delta: positive.nullable().default(null),
  /** Weight of the divergence from the reference; 0 needs no reference. */
  beta: notNegative.default(0),
  /** The log-ratio to the reference is held within this. */
  kl_clamp: positive.default(LOSS_DEFAULTS.klClamp),
  entropy_coef: z.number().default(0),
  top_entropy_quantile: share.default(1),
  sapo_temperature_pos: positive.default(LOSS_DEFAULTS.sapoTemperaturePos),
  sapo_temperature_neg: positive.default(LOSS_DEFAULTS.sapoTemperatureNeg),
  /** Moves the reference towards the policy: reference = alpha policy + (1 - alpha) reference. */
  sync_ref_model: z.boolean().default(false),
  ref_model_mixup_alpha: share.default(0.6),
  ref_model_sync_steps: count.default(512),

  // PPO
  /** Discount per token, and the decay of generalised advantage estimation. */
  gamma: share.default(1),
  gae_lambda: z.number().min(0).max(1).default(0.95),
  /** Weight of the value loss, and how far a value may move from that of the rollout. */
  vf_coef: notNegative.default(0.1),
  cliprange_value: positive.default(0.2),
  /** Brings the advantages of a round to mean 0 and deviation 1. */
  whiten_advantages: z.boolean().default(true),
});

/** A complete config. */
export type GrpoConfig = z.output<typeof schema>;

/** Reads and checks a config. */
export function parseGrpoConfig(source: ConfigSource): GrpoConfig {
  const config = parseConfigFile(schema, source);
  checkGrpoConfig(config);
  return config;
}

/** Refuses what cannot work, whatever the data and the model are. */
export function checkGrpoConfig(config: GrpoConfig): void {
  checkTrainingConfig(config);
  const refuse = (field: keyof GrpoConfig, problem: string): never => {
    throw configError(`the config's "${field}"`, problem);
  };
  planBatches(config);
  if (config.algorithm === 'grpo' && config.num_generations < 2) {
    refuse(
      'num_generations',
      'is 1, but GRPO compares completions of a prompt; set 2 or more, or algorithm: ppo',
    );
  }
  if (config.algorithm === 'ppo' && config.importance_sampling_level === 'sequence') {
    refuse('importance_sampling_level', 'is sequence, but PPO has an advantage per token; set token');
  }
  if (config.sync_ref_model && config.beta === 0) {
    refuse('sync_ref_model', 'is set while beta is 0, so that there is no reference to move; set beta');
  }
  if (config.sync_ref_model && config.use_peft) {
    refuse(
      'sync_ref_model',
      'cannot be used with use_peft, whose reference is the model without its adapter',
    );
  }
  if (config.epsilon_high !== null && config.epsilon_high < config.epsilon && config.loss_type !== 'cispo') {
    refuse('epsilon_high', `is ${config.epsilon_high}, below epsilon ${config.epsilon}`);
  }
  if (config.delta !== null && config.delta <= 1 + (config.epsilon_high ?? config.epsilon)) {
    refuse(
      'delta',
      `is ${config.delta}; it bounds ratios above the clip, so it must exceed 1 + epsilon_high`,
    );
  }
  const held = config.eval_dataset !== null || config.eval_fraction !== null;
  if ((config.eval_strategy !== 'no' || config.eval_on_start) && !held) {
    refuse('eval_strategy', 'needs held-out data; set eval_dataset or eval_fraction');
  }
}

/** The part of a config that the loss is about. */
export function lossSettings(config: GrpoConfig): LossSettings {
  return {
    lossType: config.loss_type,
    importanceSamplingLevel: config.importance_sampling_level,
    epsilon: config.epsilon,
    epsilonHigh: config.epsilon_high ?? config.epsilon,
    delta: config.delta,
    beta: config.beta,
    klClamp: config.kl_clamp,
    entropyCoef: config.entropy_coef,
    topEntropyQuantile: config.top_entropy_quantile,
    sapoTemperaturePos: config.sapo_temperature_pos,
    sapoTemperatureNeg: config.sapo_temperature_neg,
  };
}
