/** The reward for a length within bounds. */
import { z } from 'zod';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('length', {
  /** Lengths that give the full reward, in tokens; up to `max_completion_length` by default. */
  min_tokens: z.int().nonnegative().default(0),
  max_tokens: z.int().positive().nullable().default(null),
});

/** See {@link lengthInBand}. */
export const lengthReward: RewardKind<z.output<typeof schema>> = {
  name: 'length',
  schema,
  judge: ({ min_tokens, max_tokens }, { maxCompletionLength }, refuse) => {
    const band = { minTokens: min_tokens, maxTokens: max_tokens ?? maxCompletionLength };
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
