/** The reward for the right answer. */
import type { z } from 'zod';
import { gradeAnswer, paperAccuracy, paperRewardText } from '../../data/index.js';
import { NO_ANSWER, questionOf } from './choice.js';
import { entrySchema, type RewardKind } from './kind.js';
import { modeField, type RewardMode } from './modes.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('accuracy', { mode: modeField });

/** See {@link accuracy}. */
export const accuracyReward: RewardKind<z.output<typeof schema>> = {
  name: 'accuracy',
  schema,
  judge:
    ({ mode }) =>
    (sample) =>
      accuracy(sample, mode),
};

/**
 * 1 for the right answer. `paper` wants nothing but the letter in the first answer tags, or as the whole completion;
 * `robust` takes letter, letter and text, or text, in one pair of answer tags. Open answers are right as evaluations have it;
 * reports are neither right nor wrong, so that the reward does not apply to them.
 */
export function accuracy({ completion, record }: RewardSample, mode: RewardMode): RewardResult {
  const question = questionOf(record);
  if (!question) return NO_ANSWER;
  const { answer } = question;
  if (mode === 'paper') {
    const value = paperAccuracy(completion, answer);
    return { value, reason: `${quote(paperRewardText(completion))} against ${answer}` };
  }
  const { said, how, correct } = gradeAnswer(question, completion);
  if (correct === null) return { value: null, reason: 'a report is neither right nor wrong' };
  if (said === null) return { value: 0, reason: how };
  const shown = question.open === undefined ? said : quote(said);
  return correct
    ? { value: 1, reason: `${shown} is right (${how})` }
    : {
        value: 0,
        reason: `${shown} instead of ${question.open === undefined ? answer : quote(answer)} (${how})`,
      };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
