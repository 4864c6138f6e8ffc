/** Rewards for the right answer in the right form. */

import { conclusionOf } from '../../data/conclusion.js';
import {
  type AnswerStyle,
  answerIn,
  countTags,
  paperAccuracy,
  paperFormat,
  paperRewardText,
} from '../../data/index.js';
import type { RewardResult, RewardSample } from './reward.js';

/** `paper`: exactly as Med-R1's published code; `robust`: as a careful reader. */
export const REWARD_MODES = ['paper', 'robust'] as const;

/** See {@link REWARD_MODES}. */
export type RewardMode = (typeof REWARD_MODES)[number];

/** The order of reasoning and answer that a format reward wants. */
export type RewardStyle = Exclude<AnswerStyle, 'zero-shot'>;

/**
 * 1 for the right option. `paper` wants nothing but the letter in the first answer tags, or as the whole completion;
 * `robust` takes letter, letter and text, or text, in one pair of answer tags.
 */
export function accuracy({ completion, record }: RewardSample, mode: RewardMode): RewardResult {
  if (mode === 'paper') {
    const value = paperAccuracy(completion, record.answer);
    return { value, reason: `${quote(paperRewardText(completion))} against ${record.answer}` };
  }
  const { letter, how } = answerIn(completion, record.options);
  if (letter === undefined) return { value: 0, reason: how };
  return letter === record.answer
    ? { value: 1, reason: `${letter} is right (${how})` }
    : { value: 0, reason: `${letter} instead of ${record.answer} (${how})` };
}

/**
 * 1 for the form that the prompt asks for. `paper` is Med-R1's expression, which many tag pairs satisfy; `robust` wants
 * each tag exactly once, whatever its case, reasoning and answer that are not empty, and nothing outside of the tags.
 */
export function format({ completion }: RewardSample, mode: RewardMode, style: RewardStyle): RewardResult {
  if (mode === 'paper' && style !== 'think-after') {
    const value = paperFormat(completion, style);
    return { value, reason: value === 1 ? `is ${style}` : `is not ${style}` };
  }
  const tags = style === 'no-think' ? (['answer'] as const) : (['think', 'answer'] as const);
  for (const tag of tags) {
    const { open, close } = countTags(completion, tag);
    if (open !== 1 || close !== 1) return { value: 0, reason: `${open} <${tag}> and ${close} </${tag}>` };
  }
  if (style === 'no-think' && /<\/?think>/i.test(completion)) return { value: 0, reason: 'has think tags' };
  const inside = FORMS[style].exec(completion);
  if (!inside) return { value: 0, reason: 'text outside of the tags, or tags in another order' };
  const empty = inside.slice(1).some((text) => text.trim() === '');
  return empty ? { value: 0, reason: 'empty tags' } : { value: 1, reason: `is ${style}` };
}

const THINK = '<think>([\\s\\S]*)</think>';
const ANSWER = '<answer>([\\s\\S]*)</answer>';
const FORMS: Readonly<Record<RewardStyle, RegExp>> = {
  think: new RegExp(`^\\s*${THINK}\\s*${ANSWER}\\s*$`, 'i'),
  'no-think': new RegExp(`^\\s*${ANSWER}\\s*$`, 'i'),
  'think-after': new RegExp(`^\\s*${ANSWER}\\s*${THINK}\\s*$`, 'i'),
};

/** 1 where the reasoning concludes with the option that is then answered; 0 where it concludes otherwise, or not at all. */
export function consistency({ completion, record }: RewardSample): RewardResult {
  const { letter, how } = answerIn(completion, record.options);
  if (letter === undefined) return { value: 0, reason: how };
  const reasoning = /<think>([\s\S]*?)<\/think>/i.exec(completion)?.[1];
  if (reasoning === undefined) return { value: 0, reason: 'no reasoning' };
  const concluded = conclusionOf(reasoning, record.options);
  if (concluded === undefined) return { value: 0, reason: 'the reasoning draws no conclusion' };
  return concluded === letter
    ? { value: 1, reason: `concludes and answers ${letter}` }
    : { value: 0, reason: `concludes ${concluded} but answers ${letter}` };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
