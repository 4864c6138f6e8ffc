/** The reward for answering what the reasoning concludes. */
import type { z } from 'zod';
import { conclusionOf } from '../../data/conclusion.js';
import { answerIn } from '../../data/index.js';
import { choiceOf, NO_CHOICE } from './choice.js';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('consistency', {});

/** See {@link consistency}. */
export const consistencyReward: RewardKind<z.output<typeof schema>> = {
  name: 'consistency',
  schema,
  judge: () => consistency,
};

/** 1 where the reasoning concludes with the option that is then answered; 0 where it concludes otherwise, or not at all. */
export function consistency({ completion, record }: RewardSample): RewardResult {
  const choice = choiceOf(record);
  if (!choice) return NO_CHOICE;
  const { options } = choice;
  const { letter, how } = answerIn(completion, options);
  if (letter === undefined) return { value: 0, reason: how };
  const reasoning = /<think>([\s\S]*?)<\/think>/i.exec(completion)?.[1];
  if (reasoning === undefined) return { value: 0, reason: 'no reasoning' };
  const concluded = conclusionOf(reasoning, options);
  if (concluded === undefined) return { value: 0, reason: 'the reasoning draws no conclusion' };
  return concluded === letter
    ? { value: 1, reason: `concludes and answers ${letter}` }
    : { value: 0, reason: `concludes ${concluded} but answers ${letter}` };
}
