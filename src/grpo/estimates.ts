/** Advantages that need more than a group's rewards: values, divergences from the reference, or another estimator. */
import { cutLists } from '../exchange/index.js';
import { computeAdvantages, isSingle } from '../rollout/advantages.js';
import { againstBaseline, bestOfGroup, discountedReturns, leaveOneOut } from '../rollout/estimators.js';
import { TrainingFailure } from '../train/non-finite.js';
import { type GrpoConfig, lossSettings } from './config.js';
import type { LearnedCompletion, LearnedGroup } from './learned.js';
import { divergence } from './loss/surrogate.js';
import { gae, whiten } from './ppo.js';

/** What rewards a round's completions have; lists follow its groups. */
export interface RoundRewards {
  /** By completion; NaN where none applies. */
  readonly rewards: readonly number[];
  /** By completion: whether the cap on tokens cut it off. */
  readonly truncated: readonly boolean[];
  /** By group: the reward of the greedy completion; empty for other estimators than `remax`. */
  readonly baselines: readonly number[];
}

/** Groups with their advantages, and how far they are from the reference. */
export interface Estimates {
  readonly groups: readonly LearnedGroup[];
  /** Mean over completions of the mean over their tokens; null where rewards do not have it. */
  readonly kl: number | null;
}

/** Whether rewards alone do not make the advantages. */
export function needsEstimates(config: GrpoConfig): boolean {
  return config.algorithm === 'ppo' || config.kl_in_reward || config.advantage_estimator !== 'group';
}

/** Gives completions that have been scored their advantages. */
export function estimate(
  groups: readonly LearnedGroup[],
  round: RoundRewards,
  config: GrpoConfig,
  beta: number,
): Estimates {
  const all = groups.flatMap(({ completions }) => completions);
  const divergences = all.map((completion) => (config.kl_in_reward ? divergencesOf(completion, config) : []));
  const found = estimatesOf(groups, all, divergences, round, config, beta);
  const means = divergences.filter(({ length }) => length > 0).map((list) => sum(list) / list.length);
  let next = 0;
  return {
    kl: config.kl_in_reward ? sum(means) / Math.max(means.length, 1) : null,
    groups: groups.map(({ prompt, completions }) => ({
      prompt,
      completions: completions.map((completion) => ({ ...completion, ...found[next++] })),
    })),
  };
}

type Estimate = Pick<LearnedCompletion, 'advantage'> & Partial<Pick<LearnedCompletion, 'returns'>>;

function estimatesOf(
  groups: readonly LearnedGroup[],
  all: readonly LearnedCompletion[],
  divergences: readonly (readonly number[])[],
  { rewards, truncated, baselines }: RoundRewards,
  config: GrpoConfig,
  beta: number,
): readonly Estimate[] {
  if (config.algorithm === 'ppo') {
    const penalty = config.missing_eos_penalty ?? 0;
    const scores = rewards.map((reward, i) => reward - (truncated[i] ? penalty : 0));
    return generalised(all, scores, divergences, config, beta);
  }
  if (config.advantage_estimator === 'reinforce_plus_plus') {
    return reinforced(all, rewards, divergences, config, beta);
  }
  const totals = rewards.map((reward, i) => reward - beta * sum(divergences[i]));
  const byGroup = cutLists(
    totals,
    groups.map(({ completions }) => completions.length),
  );
  return outcomes(byGroup, baselines, config).map((advantage) => ({ advantage: single(advantage) }));
}

/** One advantage per completion. */
function outcomes(
  groups: readonly (readonly number[])[],
  baselines: readonly number[],
  config: GrpoConfig,
): number[] {
  switch (config.advantage_estimator) {
    case 'rloo':
      return groups.flatMap(leaveOneOut);
    case 'remax':
      return groups.flatMap((group, i) => againstBaseline(group, baselines[i]));
    case 'grpo_passk':
      return groups.flatMap(bestOfGroup);
    default: {
      const values = groups.flat().map((reward) => [Number.isNaN(reward) ? null : reward]);
      const scaling = { scaleRewards: config.scale_rewards, aggregation: 'sum_then_normalize' } as const;
      return [...computeAdvantages(values, [1], config.num_generations, scaling).advantages];
    }
  }
}

/** REINFORCE++: returns of tokens, brought to mean 0 and deviation 1. */
function reinforced(
  all: readonly LearnedCompletion[],
  rewards: readonly number[],
  divergences: readonly (readonly number[])[],
  config: GrpoConfig,
  beta: number,
): Estimate[] {
  const judged = all.map(({ ids }, i) => (Number.isNaN(rewards[i]) ? 0 : ids.length));
  const returns = all.map((_, i) =>
    Float32Array.from(
      discountedReturns(tokenRewards(judged[i], rewards[i], divergences[i], beta), config.gamma),
    ),
  );
  return whiten(returns).map((advantage, i) => ({
    // A completion that no reward applies to teaches nothing.
    advantage: judged[i] === 0 ? new Float32Array(all[i].ids.length) : advantage,
  }));
}

/** PPO: advantages of tokens from the values of the head. */
function generalised(
  all: readonly LearnedCompletion[],
  scores: readonly number[],
  divergences: readonly (readonly number[])[],
  config: GrpoConfig,
  beta: number,
): Estimate[] {
  const raw = all.map(({ values }, i) => {
    // A completion that no reward applies to is worth what the head thinks: nothing is learned from it.
    const score = Number.isNaN(scores[i]) ? (values?.at(-1) ?? 0) : scores[i];
    return tokenRewards(values?.length ?? 0, score, divergences[i], beta);
  });
  const rewards = config.whiten_rewards
    ? whiten(
        raw.map((list) => Float32Array.from(list)),
        { shift: false },
      )
    : raw;
  const estimates = all.map(({ values }, i) =>
    gae(values ?? [], rewards[i], { gamma: config.gamma, lambda: config.gae_lambda }),
  );
  const advantages = estimates.map((own) => own.advantages);
  const settled = config.whiten_advantages ? whiten(advantages) : advantages;
  return estimates.map(({ returns }, i) => ({ advantage: settled[i], returns }));
}

/** What each token earns: it pays for its divergence, and the last one has the completion's reward. */
function tokenRewards(
  length: number,
  reward: number,
  divergences: readonly number[],
  beta: number,
): Float64Array {
  const out = Float64Array.from({ length }, (_, t) => -beta * (divergences[t] ?? 0));
  if (length > 0) out[length - 1] += reward;
  return out;
}

/** Divergence of the policy that drew a completion from the reference, by token. */
function divergencesOf(
  { ids, oldLogps, samplerLogps, refLogps }: LearnedCompletion,
  config: GrpoConfig,
): number[] {
  const own = oldLogps ?? samplerLogps;
  const settings = lossSettings(config);
  return Array.from({ length: ids.length }, (_, t) =>
    refLogps ? divergence(refLogps[t], own[t], settings).value : 0,
  );
}

/** In single precision, which is what a checkpoint keeps. */
function single(advantage: number): number {
  if (isSingle(advantage)) return Math.fround(advantage);
  throw new TrainingFailure(
    `the advantage of a completion would be ${advantage.toPrecision(3)}, beyond single precision; scale the rewards or their weights down`,
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
