/** Advantages of completions by other estimators than GRPO's; numbers are those of TRL's RLOO and of EasyR1. */
import { meanOf, standardDeviation } from './advantages.js';

/**
 * What a completion's reward is compared with: `group` with its group, by GRPO's formula; `rloo` with the mean of the others of its group;
 * `remax` with what greedy decoding gets; `grpo_passk` the best of a group with the second best; `reinforce_plus_plus` every
 * token's return with those of the whole round.
 */
export const ESTIMATORS = ['group', 'rloo', 'reinforce_plus_plus', 'remax', 'grpo_passk'] as const;

/** See {@link ESTIMATORS}. */
export type Estimator = (typeof ESTIMATORS)[number];

/** Estimators that compare completions of a prompt, and need several. */
export const COMPARING: ReadonlySet<Estimator> = new Set(['group', 'rloo', 'grpo_passk']);

/** As EasyR1 has it. */
const EPSILON = 1e-6;

/** RLOO: each reward less the mean of the others that apply. */
export function leaveOneOut(group: readonly number[]): number[] {
  return group.map((reward, i) => known(reward - meanOf(group.filter((_, k) => k !== i))));
}

/** ReMax: each reward less that of the greedy completion. */
export function againstBaseline(group: readonly number[], baseline: number): number[] {
  return group.map((reward) => known(reward - baseline));
}

/** Pass@k: the best completion has its distance to the second best in units of the spread, the others have nothing. */
export function bestOfGroup(group: readonly number[]): number[] {
  const order = group.map((_, i) => i).filter((i) => !Number.isNaN(group[i]));
  // Stable: the first of several that are best is the best.
  const [best, second] = order.sort((a, b) => group[b] - group[a]);
  return group.map((_, i) => {
    if (i !== best || second === undefined) return 0;
    return (group[best] - group[second]) / (standardDeviation(group) + EPSILON);
  });
}

/** Sums of rewards from each token on. */
export function discountedReturns(rewards: ArrayLike<number>, gamma: number): Float64Array {
  const out = new Float64Array(rewards.length);
  for (let t = rewards.length - 1; t >= 0; t--) {
    out[t] = rewards[t] + (t + 1 < out.length ? gamma * out[t + 1] : 0);
  }
  return out;
}

/** Where no reward applies, nothing is learned. */
function known(advantage: number): number {
  return Number.isNaN(advantage) ? 0 : advantage;
}
