/** The reward for the words of an open answer. */
import { z } from 'zod';
import { answerText, bleu, referenceTexts, rougeL, tokenF1 } from '../../data/index.js';
import { questionOf } from './choice.js';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const MEASURES = { f1: tokenF1, rouge_l: rougeL, bleu } as const;

const schema = entrySchema('text_f1', {
  /** How words are compared: F1 of all, or as reports are. */
  measure: z.enum(['f1', 'rouge_l', 'bleu']).default('f1'),
});

/** See {@link textReward}. */
export const textF1Reward: RewardKind<z.output<typeof schema>> = {
  name: 'text_f1',
  schema,
  judge:
    ({ measure }) =>
    (sample) =>
      textReward(sample, measure),
};

/** How near the words in the answer tags come to the nearest text that is right; only of questions that want a text. */
export function textReward(
  { completion, record }: RewardSample,
  measure: keyof typeof MEASURES,
): RewardResult {
  const references = referenceTexts(questionOf(record)?.open);
  if (references.length === 0) return { value: null, reason: 'the record wants no text' };
  const found = answerText(completion);
  if ('problem' in found) return { value: 0, reason: found.problem };
  const value = Math.max(...references.map((reference) => MEASURES[measure](found.text, reference)));
  return { value, reason: `${measure} ${value.toFixed(3)}` };
}
