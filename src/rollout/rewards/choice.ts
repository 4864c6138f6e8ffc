/** Records that are multiple-choice questions; rewards for the right option apply to no others. */
import { isConversation, type Question } from '../../data/index.js';
import type { RewardResult, RewardSample } from './reward.js';

/** The question of a record that has options. */
export function choiceOf(record: RewardSample['record']): Question | null {
  return isConversation(record) ? null : record;
}

/** What such a reward says of other records. */
export const NO_CHOICE: RewardResult = { value: null, reason: 'the record has no options' };
