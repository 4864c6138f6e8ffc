/** Passes from which nothing is learned: under the reference, and under the policy that drew the completions. */
import type { WorkContext } from '../exchange/index.js';
import type { Model } from '../models/index.js';
import { isEmpty, microBatches, type PromptCompletions, passGroups } from './learned.js';
import { type PassGroup, type PolicyPassOptions, scorePass } from './pass.js';
import type { Reference } from './reference.js';

/** What is scored, and what for. */
export interface ScoreInput {
  readonly groups: readonly PromptCompletions[];
  /** Whether the policy's own log-probabilities are asked for; those of the reference are, where there is one. */
  readonly policy: boolean;
}

/** What is found for a completion, one number per token each; null where it was not asked for. */
export interface Scores {
  readonly refLogps: Float32Array | null;
  readonly oldLogps: Float32Array | null;
  /** Of PPO's value head. */
  readonly values: Float32Array | null;
}

/** What is scored with. */
export interface ScoreSetting {
  /** Completions of a micro-batch. */
  readonly microBatch: number;
  readonly model: Model;
  readonly reference: Reference | null;
  readonly passOptions: PolicyPassOptions;
}

/** Scores by completion, null where a micro-batch has no token that counts. */
export async function scoreGroups(
  { microBatch, model, reference, passOptions }: ScoreSetting,
  { groups, policy }: ScoreInput,
  context: WorkContext,
): Promise<(Scores | null)[]> {
  const batches = microBatches(groups, microBatch);
  const over = async <T>(score: (groups: readonly PassGroup[]) => Promise<readonly T[]>) => {
    const found: (T | null)[] = [];
    for (const members of batches) {
      found.push(...(isEmpty(members) ? members.map(() => null) : await score(passGroups(members))));
    }
    return found;
  };
  const referred = reference
    ? await context.phase('reference', () =>
        over((some) => reference.logps(some, { ...passOptions, valueHead: null })),
      )
    : null;
  const valued = passOptions.valueHead != null;
  const own =
    policy || valued
      ? await context.phase('policy', () =>
          over(async (some) => {
            const { logps, values } = await scorePass(model, some, passOptions);
            return logps.map((oldLogps, i) => ({
              oldLogps: policy ? oldLogps : null,
              values: values?.[i] ?? null,
            }));
          }),
        )
      : null;
  return batches.flat().map((_, i) => {
    const [refLogps, scores] = [referred?.[i] ?? null, own?.[i] ?? null];
    if (!refLogps && !scores) return null;
    return { refLogps, oldLogps: scores?.oldLogps ?? null, values: scores?.values ?? null };
  });
}
