/** The reward for the right option. */
import type { z } from 'zod';
import { answerIn, paperAccuracy, paperRewardText } from '../../data/index.js';
import { choiceOf, NO_CHOICE } from './choice.js';
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
 * 1 for the right option. `paper` wants nothing but the letter in the first answer tags, or as the whole completion;
 * `robust` takes letter, letter and text, or text, in one pair of answer tags.
 */
export function accuracy({ completion, record }: RewardSample, mode: RewardMode): RewardResult {
  const choice = choiceOf(record);
  if (!choice) return NO_CHOICE;
  const { options, answer } = choice;
  if (mode === 'paper') {
    const value = paperAccuracy(completion, answer);
    return { value, reason: `${quote(paperRewardText(completion))} against ${answer}` };
  }
  const { letter, how } = answerIn(completion, options);
  if (letter === undefined) return { value: 0, reason: how };
  return letter === answer
    ? { value: 1, reason: `${letter} is right (${how})` }
    : { value: 0, reason: `${letter} instead of ${answer} (${how})` };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
