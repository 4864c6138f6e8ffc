/** What a round of rollouts leaves for the optimizer steps that learn from it. */
import type { AskedPrompt } from '../rollout/prompts.js';
import type { PassGroup } from './pass.js';

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

/** What a pass needs of a prompt. */
export type PassPrompt = Pick<AskedPrompt, 'ids' | 'grids' | 'images'>;

/** Completions of a prompt, all of its group or some. */
export interface PromptCompletions {
  readonly prompt: PassPrompt;
  readonly completions: readonly LearnedCompletion[];
}

/** What is learned from a group. */
export interface LearnedGroup extends PromptCompletions {
  readonly prompt: AskedPrompt;
}

/** Tokens of completions that count. */
export function countTokens(groups: readonly PromptCompletions[]): number {
  return groups.reduce((n, { completions }) => completions.reduce((m, { ids }) => m + ids.length, n), 0);
}

/** A completion and the group that it belongs to. */
export interface Member {
  readonly group: PromptCompletions;
  readonly completion: LearnedCompletion;
}

/** Cuts groups into micro-batches. */
export function microBatches(groups: readonly PromptCompletions[], size: number): Member[][] {
  const members = groups.flatMap((group) => group.completions.map((completion) => ({ group, completion })));
  return Array.from({ length: Math.ceil(members.length / size) }, (_, i) =>
    members.slice(i * size, (i + 1) * size),
  );
}

/** Cuts groups into parts of so many completions; a group that a cut goes through is in both parts. */
export function cutGroups(groups: readonly PromptCompletions[], size: number): PromptCompletions[][] {
  return microBatches(groups, size).map((members) =>
    byGroup(members).map(({ group: { prompt }, completions }) => ({ prompt, completions })),
  );
}

/** Completions for a pass; members of the same group share its prompt. */
export function passGroups(members: readonly Member[]): PassGroup[] {
  return byGroup(members).map(({ group: { prompt }, completions }) => ({
    prompt: { ids: prompt.ids, images: prompt.grids },
    pixels: prompt.images?.pixels ?? null,
    completions: completions.map(({ ids }) => ids),
  }));
}

/** Whether a micro-batch has no token that counts. */
export function isEmpty(members: readonly Member[]): boolean {
  return members.every(({ completion }) => completion.ids.length === 0);
}

function byGroup(members: readonly Member[]) {
  const parts: { group: PromptCompletions; completions: LearnedCompletion[] }[] = [];
  for (const { group, completion } of members) {
    const last = parts.at(-1);
    if (last?.group === group) last.completions.push(completion);
    else parts.push({ group, completions: [completion] });
  }
  return parts;
}
