/** A candidate as a careful reader takes it apart; constraints judge this. */

import { sentencesOf } from '../data/conclusion.js';
import {
  answerIn,
  countTags,
  type FoundAnswer,
  type Grade,
  gradeAnswer,
  type Question,
} from '../data/index.js';
import type { Candidate } from './candidate.js';

/** A candidate, its parts, and the question that it answers. */
export interface Reading {
  readonly question: Question;
  readonly candidate: Candidate;
  /** The whole text is reasoning in one pair of tags, then an answer in one pair of tags. */
  readonly formed: boolean;
  /** Text of the reasoning; empty where there is none. */
  readonly reasoning: string;
  readonly sentences: readonly string[];
  /** The option that it names; none of an open question. */
  readonly answer: FoundAnswer;
  /** What it answers and whether that is right, with options or without. */
  readonly grade: Grade;
}

const FORM = /^\s*<think>([\s\S]*)<\/think>\s*<answer>[\s\S]*<\/answer>\s*$/i;

/** Reads a candidate. */
export function readCandidate(question: Question, candidate: Candidate): Reading {
  const { text } = candidate;
  const once = (['think', 'answer'] as const).every((tag) => {
    const { open, close } = countTags(text, tag);
    return open === 1 && close === 1;
  });
  const form = once ? FORM.exec(text) : null;
  const reasoning = (form?.[1] ?? /<think>([\s\S]*?)<\/think>/i.exec(text)?.[1] ?? '').trim();
  return {
    question,
    candidate,
    formed: form !== null,
    reasoning,
    sentences: sentencesOf(reasoning),
    answer: answerIn(text, question.options),
    grade: gradeAnswer(question, text),
  };
}

/** Words of a text. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}]+(?:['’.-][\p{L}\p{N}]+)*/gu) ?? [];
}

/** Words that a sentence has at least to be a step rather than an aside. */
const STEP_WORDS = 4;

/** Steps of reasoning: sentences and lines that say something. */
export function stepsOf({ sentences }: Pick<Reading, 'sentences'>): number {
  return sentences.filter((sentence) => wordsOf(sentence).length >= STEP_WORDS).length;
}
