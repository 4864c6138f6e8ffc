/** What a round of rollouts leaves for the optimizer steps that learn from it. */
import type { FinishReason } from '../generate/index.js';
import type { AskedPrompt } from './prompts.js';
import type { RewardResult } from './rewards/index.js';

/** A completion with its rewards. */
export interface ScoredCompletion {
  readonly text: string;
  readonly ids: readonly number[];
  /** From the sampler. */
  readonly logps: readonly number[];
  readonly finishReason: FinishReason;
  readonly rewards: readonly RewardResult[];
}

/** All completions of a prompt, before their advantages are known. */
export interface ScoredGroup {
  readonly prompt: AskedPrompt;
  readonly completions: readonly ScoredCompletion[];
}

/** What is learned from a completion; lists have one number per token. */
export interface LearnedCompletion {
  readonly ids: ArrayLike<number>;
  readonly samplerLogps: ArrayLike<number>;
  /** One for the completion, or one per token. */
  readonly advantage: number | Float32Array;
  /** Under the policy that drew it, computed by the trainer; null where the sampler's serve. */
  readonly oldLogps: Float32Array | null;
  readonly refLogps: Float32Array | null;
  /** PPO's estimates at the rollout, and what they should have been. */
  readonly values: Float32Array | null;
  readonly returns: Float32Array | null;
}

/** What is learned from a group. */
export interface LearnedGroup {
  readonly prompt: AskedPrompt;
  readonly completions: readonly LearnedCompletion[];
}

/** Tokens of completions that count. */
export function countTokens(groups: readonly LearnedGroup[]): number {
  return groups.reduce((n, { completions }) => completions.reduce((m, { ids }) => m + ids.length, n), 0);
}

/** Whether the cap on tokens cut a completion off. */
export function isTruncated({ finishReason }: { readonly finishReason: FinishReason }): boolean {
  return finishReason !== 'stop';
}
