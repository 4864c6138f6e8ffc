/** The penalty for completions that come near the cap on tokens. */
import { z } from 'zod';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('overlong', {
  /** Tokens before the cap over which the punishment grows; a fifth of them by default. */
  cache_tokens: z.int().positive().nullable().default(null),
});

/** See {@link overlong}. */
export const overlongReward: RewardKind<z.output<typeof schema>> = {
  name: 'overlong',
  schema,
  judge: ({ cache_tokens }, { maxCompletionLength: most }, refuse) => {
    const cache = cache_tokens ?? Math.max(1, Math.round(most / 5));
    if (cache > most) refuse('cache_tokens', `is ${cache}, over max_completion_length ${most}`);
    return (sample) => overlong(sample, most, cache);
  },
};

/** DAPO's soft punishment: 0, then falling to -1 over the last `cache` tokens before the most. */
export function overlong({ completionIds }: RewardSample, most: number, cache: number): RewardResult {
  const count = completionIds.length;
  const free = most - cache;
  const reason = `${count} tokens, ${free} are free`;
  if (count <= free) return { value: 0, reason };
  return { value: count <= most ? (free - count) / cache : -1, reason };
}
