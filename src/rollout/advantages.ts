/** From rewards to advantages, with the numbers that TRL gets, NaN-aware: a reward that does not apply is not 0. */

import { TrainingFailure } from '../train/non-finite.js';

/** `group`: divide by each group's spread; `batch`: by that of the whole batch; `none`: only subtract the group's mean. */
export const REWARD_SCALES = ['group', 'batch', 'none'] as const;

/** How rewards become advantages. */
export interface AdvantageSettings {
  readonly scaleRewards: (typeof REWARD_SCALES)[number];
  /** Add weighted rewards, then normalise; or normalise each reward in its group, add, and normalise over the batch (GDPO). */
  readonly aggregation: 'sum_then_normalize' | 'normalize_then_sum';
}

/** What `advantages` gives, one entry per completion. */
export interface Advantages {
  /** Weighted sum of the rewards that apply; NaN where none does. */
  readonly rewards: readonly number[];
  readonly advantages: readonly number[];
  /** Whether the completion's group (for `batch` and GDPO: the batch) has rewards that are all equal. */
  readonly zeroStd: readonly boolean[];
}

/** Keeps a group whose rewards are almost equal from having huge advantages. */
const EPSILON = 1e-4;
/** As torch.isclose has it. */
const ZERO = 1e-8;

/**
 * Advantages of completions that stand group by group.
 *
 * @param values rewards by completion, then by reward; null where one does not apply.
 */
export function computeAdvantages(
  values: readonly (readonly (number | null)[])[],
  weights: readonly number[],
  groupSize: number,
  settings: AdvantageSettings,
): Advantages {
  const rewards = values.map((row) => weightedSum(row, weights));
  if (settings.aggregation === 'normalize_then_sum') {
    const scores = normalisedSums(values, weights, groupSize);
    const spread = standardDeviation(scores);
    const centre = meanOf(scores);
    return {
      rewards,
      advantages: scores.map((score) => advantage(score, centre, spread + EPSILON)),
      zeroStd: scores.map(() => spread <= ZERO),
    };
  }
  const groups = chunks(rewards, groupSize);
  const batchSpread = standardDeviation(rewards);
  const advantages: number[] = [];
  const zeroStd: boolean[] = [];
  for (const group of groups) {
    const centre = meanOf(group);
    const spread = settings.scaleRewards === 'batch' ? batchSpread : standardDeviation(group);
    const divisor = settings.scaleRewards === 'none' ? 1 : spread + EPSILON;
    for (const reward of group) {
      advantages.push(advantage(reward, centre, divisor));
      zeroStd.push(spread <= ZERO);
    }
  }
  return { rewards, advantages, zeroStd };
}

/** Whether every reward of a group is the same, so that the group teaches nothing; also where none applies. */
export function isFlat(rewards: readonly number[]): boolean {
  const known = rewards.filter((reward) => !Number.isNaN(reward));
  return known.every((reward) => Math.abs(reward - known[0]) <= ZERO);
}

/** Mean of the numbers among values; NaN of none. */
export function meanOf(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Standard deviation of the numbers among values, unbiased; 0 of one, NaN of none. */
export function standardDeviation(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length < 2) return known.length === 1 ? 0 : Number.NaN;
  const mean = meanOf(known);
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (known.length - 1));
}

/** A completion's rewards with their weights, added; NaN where none applies. */
export function weightedSum(row: readonly (number | null)[], weights: readonly number[]): number {
  if (row.every((value) => value === null)) return Number.NaN;
  return row.reduce<number>((sum, value, k) => sum + (value ?? 0) * weights[k], 0);
}

/** Each reward as its distance from the group's mean in units of the group's spread; then the weighted sum. */
function normalisedSums(
  values: readonly (readonly (number | null)[])[],
  weights: readonly number[],
  groupSize: number,
): number[] {
  return chunks(values, groupSize).flatMap((group) => {
    const scores = weights.map((_, k) => {
      const column = group.map((row) => row[k] ?? Number.NaN);
      const centre = meanOf(column);
      const spread = standardDeviation(column);
      return column.map((value) => (Number.isNaN(value) ? null : (value - centre) / (spread + EPSILON)));
    });
    return group.map((_, i) =>
      weightedSum(
        scores.map((column) => column[i]),
        weights,
      ),
    );
  });
}

function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}

/** Where no reward applies, nothing is learned. */
function advantage(reward: number, centre: number, divisor: number): number {
  if (Number.isNaN(reward)) return 0;
  const value = (reward - centre) / divisor;
  if (isSingle(value)) return value;
  throw new TrainingFailure(
    `the advantage of a completion with reward ${reward} would be ${value.toPrecision(3)}, beyond single precision; scale the rewards or their weights down`,
  );
}

/** Whether a number is finite in single precision, which is what the loss is computed and kept in. */
export function isSingle(value: number): boolean {
  return Number.isFinite(Math.fround(value));
}
