/** Rewards for the right answer in the right form. */
import {
  type AnswerStyle,
  answerIn,
  countTags,
  paperAccuracy,
  paperFormat,
  paperRewardText,
  statedAnswer,
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

/** Words before an option that reject it. */
const REJECTION =
  /\b(?:not|no|never|rather than|instead of|unlike|rules? out|ruled out|exclud\w*|unlikely|without|than)\b|n['’]t\b/i;

/**
 * The option that reasoning ends on: what its last statement of an answer says, else the only option that the last
 * sentence to name any, by letter or by text, does not reject.
 */
export function conclusionOf(
  reasoning: string,
  options: Readonly<Record<string, string>>,
): string | undefined {
  const sentences = reasoning
    .split(/(?<=[.!?;])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
  for (const sentence of sentences.reverse()) {
    const stated = REJECTION.test(sentence) ? undefined : statedAnswer(sentence, options);
    if (stated !== undefined) return stated;
    const named = namedOptions(sentence, options);
    const meant = named.filter(({ rejected }) => !rejected).map(({ letter }) => letter);
    if (meant.length === 1) return meant[0];
    // Weighing several options against each other is no conclusion, and what came before it is none any more.
    if (meant.length > 1) return undefined;
  }
  return undefined;
}

/** Options that a sentence names; an option whose text is part of another one that is named does not count. */
function namedOptions(
  sentence: string,
  options: Readonly<Record<string, string>>,
): { letter: string; rejected: boolean }[] {
  const taken: { start: number; end: number }[] = [];
  const found: { letter: string; rejected: boolean }[] = [];
  const longestFirst = Object.entries(options).sort(([, a], [, b]) => b.length - a.length);
  for (const [letter, text] of longestFirst) {
    const words = escaped(text.trim()).replace(/\s+/g, '\\s+');
    const byText = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words})(?![\\p{L}\\p{N}])`, 'iu');
    const match = byLetter(letter).exec(sentence) ?? byText.exec(sentence);
    if (!match) continue;
    const [start, end] = [match.index, match.index + match[0].length];
    if (taken.some((other) => start >= other.start && end <= other.end)) continue;
    taken.push({ start, end });
    found.push({ letter, rejected: REJECTION.test(clauseBefore(sentence, start)) });
  }
  return found;
}

/** A letter on its own: in brackets, after "option", or before a stop; so the article and the pronoun are none. */
function byLetter(letter: string): RegExp {
  return new RegExp(
    `\\(${letter}\\)|\\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\\s+${letter}\\b|\\b${letter}(?=\\)|$|[.,:;!?])`,
  );
}

/** What stands before a place in its own clause. */
function clauseBefore(sentence: string, at: number): string {
  return sentence
    .slice(0, at)
    .split(/,|;|\bbut\b|\bso\b|\band\b/i)
    .at(-1) as string;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
