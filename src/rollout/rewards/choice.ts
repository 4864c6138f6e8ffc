/** Records that are questions, and those with options; rewards that need an answer apply to no others. */
import { isConversation, type Question } from '../../data/index.js';
import type { RewardResult, RewardSample } from './reward.js';

/** The question of a record that is one. */
export function questionOf(record: RewardSample['record']): Question | null {
  return isConversation(record) ? null : record;
}

/** The question of a record that has options. */
export function choiceOf(record: RewardSample['record']): Question | null {
  const question = questionOf(record);
  return question?.open === undefined ? question : null;
}

/** What a reward for answers says of records without one. */
export const NO_ANSWER: RewardResult = { value: null, reason: 'the record has no answer' };

/** What a reward for options says of other records. */
export const NO_CHOICE: RewardResult = { value: null, reason: 'the record has no options' };
