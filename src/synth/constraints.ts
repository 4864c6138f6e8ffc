/** What a candidate must be to be accepted: each constraint is one function and one cause of rejection. */

import { conclusionOf } from '../data/conclusion.js';
import { statedAnswer } from '../data/index.js';
import { type Reading, stepsOf, wordsOf } from './reading.js';
import { contradictionIn, verdictsIn } from './verdicts.js';

/** Bounds of the constraints. */
export interface ConstraintSettings {
  /** Sentences of reasoning. */
  readonly minSteps: number;
  /** Words of reasoning. */
  readonly minWords: number;
  readonly maxWords: number;
}

/** Defaults of {@link ConstraintSettings}. */
export const DEFAULT_CONSTRAINTS: ConstraintSettings = { minSteps: 3, minWords: 20, maxWords: 400 };

/** A constraint: what is wrong with a candidate, in words, or undefined. */
export type Constraint = (reading: Reading, settings: ConstraintSettings) => string | undefined;

/** The source ended by itself. */
function cutOff({ candidate }: Reading): string | undefined {
  return candidate.finish === 'stop' ? undefined : `ended by ${candidate.finish}`;
}

/** One pair of think tags, then one pair of answer tags, and nothing else. */
function malformed({ formed }: Reading): string | undefined {
  return formed ? undefined : 'is not one <think> pair followed by one <answer> pair and nothing else';
}

/** There is an answer: one of the options, or one of the kind that an open question wants. */
function unreadableAnswer({ grade }: Reading): string | undefined {
  return grade.said === null ? grade.how : undefined;
}

/** It is right; reports are never wrong as a whole. */
function wrongAnswer({ grade, question }: Reading): string | undefined {
  return grade.correct === false ? `${grade.said} instead of ${question.answer}` : undefined;
}

function tooShort({ reasoning }: Reading, { minWords }: ConstraintSettings): string | undefined {
  const words = wordsOf(reasoning).length;
  return words < minWords ? `${words} words, fewer than ${minWords}` : undefined;
}

function tooLong({ reasoning }: Reading, { maxWords }: ConstraintSettings): string | undefined {
  const words = wordsOf(reasoning).length;
  return words > maxWords ? `${words} words, more than ${maxWords}` : undefined;
}

function tooFewSteps(reading: Reading, { minSteps }: ConstraintSettings): string | undefined {
  const steps = stepsOf(reading);
  return steps < minSteps ? `${steps} steps, fewer than ${minSteps}` : undefined;
}

/** Words that only someone who was told the answer would use. */
const TOLD =
  /\b(?:answer key|ground[- ]truth|(?:given|provided|reference|known|expected|labell?ed) (?:correct )?(?:answer|solution|label)|(?:answer|solution) (?:was|is) (?:already )?(?:given|provided|known))\b/i;

/** Reasoning comes before the answer: it neither begins with it nor appeals to having been told. */
function leaked({ sentences, question }: Reading): string | undefined {
  const [first, ...rest] = sentences;
  if (first !== undefined && rest.length > 0) {
    const early =
      statedAnswer(first, question.options) ??
      verdictsIn(first, question.options).find((verdict) => verdict.for)?.letter;
    if (early !== undefined) return `begins with the answer: ${first}`;
  }
  const told = sentences.find((sentence) => TOLD.test(sentence));
  return told && `appeals to a given answer: ${told}`;
}

/** What is said of the options agrees, among itself and with the answer. */
function contradiction({ reasoning, question, answer }: Reading): string | undefined {
  return contradictionIn(verdictsIn(reasoning, question.options), answer.letter as string);
}

/** The reasoning ends on the option that is answered. */
function otherConclusion({ reasoning, question, answer }: Reading): string | undefined {
  if (question.open !== undefined) return undefined;
  const concluded = conclusionOf(reasoning, question.options);
  if (concluded === undefined) return 'the reasoning draws no conclusion';
  return concluded === answer.letter ? undefined : `concludes ${concluded}, answers ${answer.letter}`;
}

/** The constraints on a candidate alone, by cause, in the order in which they are tried; the first that fails counts. */
export const CONSTRAINTS = {
  cut_off: cutOff,
  malformed,
  unreadable_answer: unreadableAnswer,
  wrong_answer: wrongAnswer,
  too_short: tooShort,
  too_long: tooLong,
  too_few_steps: tooFewSteps,
  leaked_answer: leaked,
  other_conclusion: otherConclusion,
  contradiction,
} as const satisfies Readonly<Record<string, Constraint>>;

/** A cause of rejection that {@link CONSTRAINTS} knows. */
export type ConstraintCause = keyof typeof CONSTRAINTS;

/** The first constraint that a candidate breaks, and how. */
export function brokenConstraint(
  reading: Reading,
  settings: ConstraintSettings,
): { cause: ConstraintCause; detail: string } | undefined {
  for (const [cause, holds] of Object.entries(CONSTRAINTS)) {
    const detail = holds(reading, settings);
    if (detail !== undefined) return { cause: cause as ConstraintCause, detail };
  }
  return undefined;
}
