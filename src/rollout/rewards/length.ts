/** Rewards for the length of a completion. */
import { z } from 'zod';
import { gradeAnswer } from '../../data/index.js';
import { NO_ANSWER, questionOf } from './choice.js';
import { entrySchema, type RewardKind } from './kind.js';
import { overlong } from './overlong.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('length', {
  /**
   * `band`: 1 within bounds. `cosine`: right answers are worth the more, and wrong ones the less, the shorter they are.
   * `overlong`: DAPO's soft punishment near the cap.
   */
  shape: z.enum(['band', 'cosine', 'overlong']).default('band'),
  /** Lengths that give the full reward, in tokens; up to `max_completion_length` by default, which is `cosine`'s end, too. */
  min_tokens: z.int().nonnegative().default(0),
  max_tokens: z.int().positive().nullable().default(null),
  /** Of `cosine`: what right and wrong answers are worth, the short ones first. */
  correct: z.tuple([z.number(), z.number()]).default([1, 0.5]),
  wrong: z.tuple([z.number(), z.number()]).default([-1, -0.5]),
  /** Of `overlong`: tokens before the cap over which the punishment grows; a fifth of them by default. */
  cache_tokens: z.int().positive().nullable().default(null),
});

/** See {@link lengthInBand} and {@link cosineLength}. */
export const lengthReward: RewardKind<z.output<typeof schema>> = {
  name: 'length',
  schema,
  judge: (
    { shape, min_tokens, max_tokens, correct, wrong, cache_tokens },
    { maxCompletionLength },
    refuse,
  ) => {
    const most = max_tokens ?? maxCompletionLength;
    if (shape !== 'band' && min_tokens > 0) refuse('min_tokens', `is only for shape: band, not ${shape}`);
    if (shape !== 'overlong' && cache_tokens !== null) refuse('cache_tokens', 'is only for shape: overlong');
    if (shape === 'cosine') return (sample) => cosineLength(sample, { most, correct, wrong });
    if (shape === 'overlong') {
      const cache = cache_tokens ?? Math.max(1, Math.round(most / 5));
      if (cache > most) refuse('cache_tokens', `is ${cache}, over max_tokens ${most}`);
      return (sample) => overlong(sample, most, cache);
    }
    const band = { minTokens: min_tokens, maxTokens: most };
    if (band.minTokens > band.maxTokens) {
      refuse('min_tokens', `is ${band.minTokens}, over max_tokens ${band.maxTokens}`);
    }
    return (sample) => lengthInBand(sample, band);
  },
};

/** Lengths that are fine. */
export interface LengthBand {
  readonly minTokens: number;
  readonly maxTokens: number;
}

/** 1 within a band; below it the share of the least length, above it falling to 0 at twice the most. */
export function lengthInBand({ completionIds }: RewardSample, band: LengthBand): RewardResult {
  const count = completionIds.length;
  if (count < band.minTokens) {
    return { value: count / band.minTokens, reason: `${count} tokens, below ${band.minTokens}` };
  }
  if (count <= band.maxTokens) return { value: 1, reason: `${count} tokens` };
  return {
    value: Math.max(0, 2 - count / band.maxTokens),
    reason: `${count} tokens, over ${band.maxTokens}`,
  };
}

/** What answers of no and of the most tokens are worth. */
export interface CosineLength {
  readonly most: number;
  readonly correct: readonly [number, number];
  readonly wrong: readonly [number, number];
}

/** Half a turn of a cosine from what a short answer is worth to what a long one is, as TRL's `get_cosine_scaled_reward`. */
export function cosineLength(
  { completion, completionIds, record }: RewardSample,
  { most, correct, wrong }: CosineLength,
): RewardResult {
  const question = questionOf(record);
  if (!question) return NO_ANSWER;
  const right = gradeAnswer(question, completion).correct;
  if (right === null) return { value: null, reason: 'a report is neither right nor wrong' };
  const [short, long] = right ? correct : wrong;
  const done = Math.min(completionIds.length / most, 1);
  return {
    value: long + 0.5 * (short - long) * (1 + Math.cos(done * Math.PI)),
    reason: `${completionIds.length} tokens, ${right ? 'right' : 'wrong'}`,
  };
}
