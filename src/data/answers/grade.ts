/** What a completion answers and how good that is, whatever kind of answer its question wants. */
import { type AnswerOptions, answerIn, countTags } from '../answer.js';
import type { Question } from '../question.js';
import { boxesIn, boxesIou } from './boxes.js';
import { numberIn } from './numbers.js';
import type { BoxesAnswer, NumberAnswer, OpenAnswer, ReportAnswer, TextAnswer } from './open.js';
import { answerWords, bleu, rougeL, sameWords, tokenF1 } from './words.js';

/** Scores beside right and wrong, by the kinds of answers that have them: `exact` and `f1` text, the next three reports. */
export const SCORES = ['exact', 'f1', 'bleu', 'rouge_l', 'iou'] as const;

/** See {@link SCORES}. */
export type ScoreName = (typeof SCORES)[number];

/** Numbers in [0, 1]. */
export type Scores = Readonly<Partial<Record<ScoreName, number>>>;

/** What {@link gradeAnswer} found. */
export interface Grade {
  /** The answer in a form that equal answers share, such as the letter; null where there is none. */
  readonly said: string | null;
  /** How it was read, or why it counts as no answer. */
  readonly how: string;
  /** Whether it is right; null for reports, which are compared and not judged. */
  readonly correct: boolean | null;
  readonly scores: Scores;
}

/** What a question needs to have for its answers to be graded. */
export type Gradable = Pick<Question, 'options' | 'answer' | 'open'>;

/** Reads and grades a completion's answer. Which tags it must have is {@link AnswerOptions}' to say. */
export function gradeAnswer(question: Gradable, completion: string, settings: AnswerOptions = {}): Grade {
  const { open } = question;
  if (open === undefined) {
    const { letter, how } = answerIn(completion, question.options, settings);
    return { said: letter ?? null, how, correct: letter === question.answer, scores: {} };
  }
  const found = answerText(completion, settings);
  const text = 'problem' in found ? '' : found.text;
  const grade = (GRADERS[open.kind] as (text: string, wanted: OpenAnswer) => Grade)(text, open);
  return 'problem' in found ? { ...grade, said: null, how: found.problem } : grade;
}

/** How the text of an answer is graded; an empty one is no answer, and worth what that is worth. */
const GRADERS: {
  readonly [K in OpenAnswer['kind']]: (text: string, wanted: OpenAnswer & { kind: K }) => Grade;
} = {
  text: gradeText,
  number: gradeNumber,
  boxes: gradeBoxes,
  report: gradeReport,
};

function gradeText(text: string, { accepted }: TextAnswer): Grade {
  const said = answerWords(text).join(' ');
  const correct = accepted.some((wanted) => sameWords(text, wanted)) && said !== '';
  const f1 = said === '' ? 0 : Math.max(...accepted.map((wanted) => tokenF1(text, wanted)));
  return {
    said: said === '' ? null : said,
    how: said === '' ? 'empty answer' : 'text',
    correct,
    scores: { exact: Number(correct), f1 },
  };
}

function gradeNumber(text: string, { value, tolerance, unit }: NumberAnswer): Grade {
  const found = numberIn(text, unit);
  if ('problem' in found) return { said: null, how: found.problem, correct: false, scores: {} };
  const off = Math.abs(found.value - value);
  // What decimals cannot say exactly must not decide at the edge: 0.3 - 0.2 is not 0.1.
  const correct = off <= tolerance + 1e-9 * Math.max(1, Math.abs(value));
  return { said: String(found.value), how: `off by ${Number(off.toPrecision(6))}`, correct, scores: {} };
}

/** Share of the union from which a box counts as found, as in most benchmarks. */
const FOUND = 0.5;

function gradeBoxes(text: string, { boxes }: BoxesAnswer): Grade {
  const found = boxesIn(text);
  const value = boxesIou(found, boxes);
  return {
    said: found.length === 0 ? null : JSON.stringify(found),
    how: found.length === 0 ? 'no box' : `IoU ${value.toFixed(3)}`,
    correct: value >= FOUND,
    scores: { iou: value },
  };
}

function gradeReport(text: string, { reference }: ReportAnswer): Grade {
  const said = text.trim();
  const scores = {
    f1: tokenF1(said, reference),
    bleu: bleu(said, reference),
    rouge_l: rougeL(said, reference),
  };
  const how = said === '' ? 'empty answer' : 'report';
  return { said: said === '' ? null : said, how, correct: null, scores };
}

/**
 * The text of an open answer: what stands in exactly one pair of answer tags, or, where tags are optional and there are none,
 * what follows the reasoning, without the words that lead up to it.
 */
export function answerText(
  completion: string,
  { tags = 'required' }: AnswerOptions = {},
): { readonly text: string } | { readonly problem: string } {
  const { open, close } = countTags(completion, 'answer');
  if (open === 0 && close === 0 && tags === 'optional') {
    const reply = completion.replace(/^[\s\S]*<\/think>/i, '').trim();
    const boxed = /\\boxed\{([^{}]*)\}/.exec(reply)?.[1];
    const led = /^(?:the |my )?(?:final |correct )?(?:answer|diagnosis)(?: is|:)\s*([\s\S]*)$/i.exec(
      reply,
    )?.[1];
    return { text: (boxed ?? led ?? reply).trim() };
  }
  if (open > 1 || close > 1) return { problem: 'several answer tags' };
  const inside = /<answer>([\s\S]*)<\/answer>/i.exec(completion)?.[1];
  return inside === undefined ? { problem: 'no answer tags' } : { text: inside.trim() };
}
