/** Rewards and penalties for how long and how repetitive a completion is, counted in tokens. */
import type { RewardResult, RewardSample } from './reward.js';

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

/** DAPO's soft punishment: 0, then falling to -1 over the last `cache` tokens before the most. */
export function overlong({ completionIds }: RewardSample, most: number, cache: number): RewardResult {
  const count = completionIds.length;
  const free = most - cache;
  const reason = `${count} tokens, ${free} are free`;
  if (count <= free) return { value: 0, reason };
  return { value: count <= most ? (free - count) / cache : -1, reason };
}

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
