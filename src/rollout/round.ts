/** Completions with their rewards, group by group. */
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
  /** Weighted sum of the rewards of the greedy completion, where one was drawn. */
  readonly baseline?: number;
}

/** Whether the cap on tokens cut a completion off. */
export function isTruncated({ finishReason }: { readonly finishReason: FinishReason }): boolean {
  return finishReason !== 'stop';
}
