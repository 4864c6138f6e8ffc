/** Fields of a config that say how a round is drawn and judged; names and defaults are TRL's where the meaning is. */
import { z } from 'zod';
import type { DataConfig } from '../data/index.js';
import { TORCH_FLOATS } from '../tensor/index.js';
import { REWARD_SCALES } from './advantages.js';
import { CURRICULA } from './curriculum.js';
import { ESTIMATORS } from './estimators.js';
import { rewardsField } from './rewards/index.js';

const count = z.int().positive();
const positive = z.number().positive();
const share = z.number().gt(0).max(1);

/** See above. */
export const rolloutFields = {
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
  /** Optimizer steps that a round's completions are spread over; PPO's name for the same. */
  num_mini_batches: count.nullable().default(null),
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
  /** Parts that the prompts of a round are cut into, each drawn by itself. */
  rollout_units: count.default(1),
  /** Storage of keys and values in rollouts. 16 bits halve the memory, and log-probabilities are then computed anew. */
  kv_cache_dtype: z.enum(TORCH_FLOATS).default('float32'),
  /** Draws other prompts for groups whose rewards are all equal (DAPO), at most this often in a round. */
  dynamic_sampling: z.boolean().default(false),
  max_resampling_rounds: count.default(3),
  /**
   * Draws other prompts, as `dynamic_sampling` does, for groups whose mean of a metric is not between `low` and `high`: what is
   * too hard, or too easy. The metric is `reward`, the weighted sum, or the name of one of the `rewards`.
   */
  online_filter: z
    .strictObject({
      low: z.number().default(0.01),
      high: z.number().default(0.99),
      metric: z.string().min(1).default('reward'),
    })
    .refine(({ low, high }) => low < high, { message: 'has a low that is not below its high' })
    .nullable()
    .default(null),
  /**
   * The order of questions in an epoch, by the share of right answers when they were asked last, or, before they were, by the
   * record's `pass_rate`, which `osler synth` writes. What is not known counts as half.
   */
  curriculum: z.enum(CURRICULA).default('none'),

  // Evaluations
  /** Answers to each held-out question; several give pass@k and the majority vote, and need a temperature above 0. */
  num_generations_eval: count.default(1),
  /** 0 is greedy. */
  eval_temperature: z.number().nonnegative().default(0),

  // Rewards and advantages
  rewards: rewardsField.default(() => rewardsField.parse(['accuracy', 'format'])),
  /**
   * What a completion's reward is compared with. `group`: its group, as `scale_rewards` says (GRPO); `rloo`: the others of its group;
   * `remax`: a greedy completion, drawn beside the others; `grpo_passk`: for the best of a group the second best, and nothing for
   * the others; `reinforce_plus_plus`: returns of the tokens of the round, with `gamma`. Only with `algorithm: grpo`.
   */
  advantage_estimator: z.enum(ESTIMATORS).default('group'),
  scale_rewards: z
    .union([z.enum(REWARD_SCALES), z.boolean().transform((on) => (on ? 'group' : 'none'))])
    .default('group'),
  multi_objective_aggregation: z
    .enum(['sum_then_normalize', 'normalize_then_sum'])
    .default('sum_then_normalize'),
  /** Learns nothing from completions that the cap on tokens cut off. */
  mask_truncated_completions: z.boolean().default(false),
};

const rolloutSchema = z.strictObject(rolloutFields);

/** What drawing a round needs to know of a run's config. */
export type RolloutConfig = z.output<typeof rolloutSchema> & DataConfig & { readonly seed: number };
