/** The penalty for tokens that repeat. */
import { z } from 'zod';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('repetition', {
  /** Tokens of an n-gram, and the value where all repeat. */
  ngram_size: z.int().positive().default(3),
  max_penalty: z.number().max(0).default(-1),
});

/** See {@link repetition}. */
export const repetitionReward: RewardKind<z.output<typeof schema>> = {
  name: 'repetition',
  schema,
  judge:
    ({ ngram_size, max_penalty }) =>
    (sample) =>
      repetition(sample, ngram_size, max_penalty),
};

/** The share of n-grams that were there before, times a penalty. */
export function repetition({ completionIds }: RewardSample, size: number, penalty: number): RewardResult {
  const total = completionIds.length - size + 1;
  if (total < 1) return { value: 0, reason: `fewer than ${size} tokens` };
  const seen = new Set<string>();
  for (let i = 0; i < total; i++) seen.add(completionIds.slice(i, i + size).join());
  const repeated = total - seen.size;
  return {
    value: repeated === 0 ? 0 : (repeated / total) * penalty,
    reason: `${repeated} of ${total} ${size}-grams repeat`,
  };
}
