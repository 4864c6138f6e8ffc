/** The reward for boxes where they belong. */
import { z } from 'zod';
import { gradeAnswer } from '../../data/index.js';
import { questionOf } from './choice.js';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('iou', {
  /** From this share on the reward is 1, below it 0; the share itself by default. */
  threshold: z.number().gt(0).max(1).nullable().default(null),
});

/** See {@link boxesReward}. */
export const iouReward: RewardKind<z.output<typeof schema>> = {
  name: 'iou',
  schema,
  judge:
    ({ threshold }) =>
    (sample) =>
      boxesReward(sample, threshold),
};

/** The part of the union that the answer's boxes share with those that are right; only of questions that want boxes. */
export function boxesReward({ completion, record }: RewardSample, threshold: number | null): RewardResult {
  const question = questionOf(record);
  if (question?.open?.kind !== 'boxes') return { value: null, reason: 'the record wants no boxes' };
  const { scores, how } = gradeAnswer(question, completion);
  const share = scores.iou ?? 0;
  return { value: threshold === null ? share : Number(share >= threshold), reason: how };
}
