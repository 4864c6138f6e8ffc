/** What a round of rollouts leaves for the optimizer steps that learn from it. */
import type { AskedPrompt } from '../rollout/prompts.js';

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
