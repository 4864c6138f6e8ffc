/** The config of GRPO and PPO; names and defaults are TRL's where the meaning is. */

import { z } from 'zod';
import { checkDataFields, dataFields } from '../data/index.js';
import { rolloutFields } from '../rollout/config.js';
import { COMPARING } from '../rollout/estimators.js';
import { planBatches } from '../rollout/plan.js';
import {
  type ConfigSource,
  checkTrainingConfig,
  configError,
  parseConfigFile,
  trainingFields,
} from '../train/config/index.js';
import {
  IMPORTANCE_LEVELS,
  KL_ESTIMATORS,
  LOSS_DEFAULTS,
  LOSS_TYPES,
  type LossSettings,
} from './loss/settings.js';

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

  ...rolloutFields,
  /** Lanes that the micro-batches of a step are cut into: each sums its own gradients, then lanes are added in order. */
  learning_lanes: count.default(1),

  // Loss
  loss_type: z.enum(LOSS_TYPES).default(LOSS_DEFAULTS.lossType),
  importance_sampling_level: z.enum(IMPORTANCE_LEVELS).default(LOSS_DEFAULTS.importanceSamplingLevel),
  epsilon: notNegative.default(LOSS_DEFAULTS.epsilon),
  /** `epsilon` by default. */
  epsilon_high: notNegative.nullable().default(null),
  delta: positive.nullable().default(null),
  /** Weight of the divergence from the reference; 0 needs no reference. */
  beta: notNegative.default(0),
  /** Takes the divergence off the rewards, token by token, and not into the loss. */
  kl_in_reward: z.boolean().default(false),
  /** Moves `beta`, once per update, such that the divergence comes near this; null keeps it. */
  kl_target: positive.nullable().default(null),
  /** Completions after which `beta` has moved by as much as the divergence is off its target. */
  kl_horizon: positive.default(10000),
  /** The log-ratio to the reference is held within this. */
  kl_clamp: positive.default(LOSS_DEFAULTS.klClamp),
  /** Estimate of the divergence, for r = log reference - log policy: `k1` is -r, `k2` r²/2, `k3` exp(r) - r - 1. */
  kl_estimator: z.enum(KL_ESTIMATORS).default(LOSS_DEFAULTS.klEstimator),
  /** Multiplies the divergence by the importance ratio, which makes its gradient unbiased; TRL 1.x does so by default. */
  use_bias_correction_kl: z.boolean().default(LOSS_DEFAULTS.useBiasCorrectionKl),
  /** Completions of a negative advantage have no policy loss once log sampler - log policy is over this, on average. */
  off_policy_mask_threshold: positive.nullable().default(null),
  entropy_coef: z.number().default(0),
  top_entropy_quantile: share.default(1),
  sapo_temperature_pos: positive.default(LOSS_DEFAULTS.sapoTemperaturePos),
  sapo_temperature_neg: positive.default(LOSS_DEFAULTS.sapoTemperatureNeg),
  /** Weights of `vespo`: w^k exp(lambda (1 - w)) for an importance ratio w, by the sign of the advantage. */
  vespo_k_pos: notNegative.default(LOSS_DEFAULTS.vespoKPos),
  vespo_lambda_pos: notNegative.default(LOSS_DEFAULTS.vespoLambdaPos),
  vespo_k_neg: notNegative.default(LOSS_DEFAULTS.vespoKNeg),
  vespo_lambda_neg: notNegative.default(LOSS_DEFAULTS.vespoLambdaNeg),
  /** Moves the reference towards the policy: reference = alpha policy + (1 - alpha) reference. */
  sync_ref_model: z.boolean().default(false),
  ref_model_mixup_alpha: share.default(0.6),
  ref_model_sync_steps: count.default(512),

  // PPO
  /** Discount per token, also of `reinforce_plus_plus`, and the decay of generalised advantage estimation. */
  gamma: share.default(1),
  gae_lambda: z.number().min(0).max(1).default(0.95),
  /** Weight of the value loss, and how far a value may move from that of the rollout. */
  vf_coef: notNegative.default(0.1),
  cliprange_value: positive.default(0.2),
  /** Brings the advantages of a round to mean 0 and deviation 1. */
  whiten_advantages: z.boolean().default(true),
  /** Brings the rewards of tokens to deviation 1 before advantages are made of them. */
  whiten_rewards: z.boolean().default(false),
  /** Taken off the reward of completions that the cap on tokens cut off. */
  missing_eos_penalty: notNegative.nullable().default(null),
});

/** Names of its fields. */
export const GRPO_FIELDS: ReadonlySet<string> = new Set(Object.keys(schema.shape));

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
  checkDataFields(config);
  const refuse = (field: keyof GrpoConfig, problem: string): never => {
    throw configError(`the config's "${field}"`, problem);
  };
  planBatches(config);
  if (config.learning_lanes > 1 && config.gradient_dtype !== 'float32') {
    refuse(
      'gradient_dtype',
      `is ${config.gradient_dtype}, but gradients of ${config.learning_lanes} learning_lanes are summed in f32; set one of them to its default`,
    );
  }
  checkEstimates(config, refuse);
  if (
    config.algorithm === 'grpo' &&
    config.num_generations < 2 &&
    COMPARING.has(config.advantage_estimator)
  ) {
    refuse(
      'num_generations',
      'is 1, but GRPO compares completions of a prompt; set 2 or more, or algorithm: ppo',
    );
  }
  if (config.algorithm === 'ppo' && config.importance_sampling_level === 'sequence') {
    refuse('importance_sampling_level', 'is sequence, but PPO has an advantage per token; set token');
  }
  if (config.loss_type === 'vespo' && config.importance_sampling_level === 'sequence') {
    refuse('importance_sampling_level', 'is sequence, but vespo weighs whole completions anyway; set token');
  }
  const perToken = config.algorithm === 'ppo' || config.advantage_estimator === 'reinforce_plus_plus';
  if (perToken && config.loss_type === 'vespo') {
    refuse('loss_type', 'is vespo, which has an advantage per completion, and here is one per token');
  }
  if (config.online_filter !== null && config.dynamic_sampling) {
    refuse(
      'online_filter',
      'is set beside dynamic_sampling; both draw other prompts, each by its own rule: set one',
    );
  }
  if (config.num_generations_eval > 1 && config.eval_temperature === 0) {
    refuse(
      'num_generations_eval',
      `is ${config.num_generations_eval}, but at eval_temperature 0 all answers to a question are equal; set one above 0`,
    );
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
}

/** Advantages, and the divergence that they may have in them. */
function checkEstimates(
  config: GrpoConfig,
  refuse: (field: keyof GrpoConfig, problem: string) => never,
): void {
  const ppo = config.algorithm === 'ppo';
  if (ppo && config.advantage_estimator !== 'group') {
    refuse(
      'advantage_estimator',
      `is ${config.advantage_estimator}, but PPO has advantages of its own; set algorithm: grpo`,
    );
  }
  const combined = config.advantage_estimator !== 'group' || config.kl_in_reward;
  if (combined && config.multi_objective_aggregation === 'normalize_then_sum') {
    refuse(
      'multi_objective_aggregation',
      'is normalize_then_sum, which needs advantage_estimator: group and no kl_in_reward',
    );
  }
  for (const field of ['kl_in_reward', 'kl_target'] as const) {
    if (config[field] && config.beta === 0) refuse(field, 'is set while beta is 0; set beta');
  }
  if (config.kl_in_reward && config.use_bias_correction_kl) {
    refuse('use_bias_correction_kl', 'is about a divergence in the loss, but kl_in_reward has none there');
  }
  for (const field of ['whiten_rewards', 'missing_eos_penalty'] as const) {
    if (config[field] && !ppo) refuse(field, "is PPO's; set algorithm: ppo");
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
    beta: config.kl_in_reward ? 0 : config.beta,
    klClamp: config.kl_clamp,
    klEstimator: config.kl_estimator,
    useBiasCorrectionKl: config.use_bias_correction_kl,
    offPolicyMaskThreshold: config.off_policy_mask_threshold,
    entropyCoef: config.entropy_coef,
    topEntropyQuantile: config.top_entropy_quantile,
    sapoTemperaturePos: config.sapo_temperature_pos,
    sapoTemperatureNeg: config.sapo_temperature_neg,
    vespoKPos: config.vespo_k_pos,
    vespoLambdaPos: config.vespo_lambda_pos,
    vespoKNeg: config.vespo_k_neg,
    vespoLambdaNeg: config.vespo_lambda_neg,
  };
}
