/**
 * Answers as the fields of our JSONL: `answer` and `options` of a choice; `answer`, or `answers` where several texts are right;
 * a number as `answer` with `tolerance` and `unit`; `bbox`, one box or a list; `answer_kind: report` for a text to compare with.
 */
import { describe } from '../../formats/quote.js';
import type { Question } from '../question.js';
import {
  answerLetter,
  fail,
  optionalText,
  optionsOf,
  type Raw,
  type RecordContext,
  requiredText,
} from '../readers/fields.js';
import { type Box, hasArea } from './boxes.js';
import { ANSWER_KINDS, type OpenAnswer, writtenAnswer } from './open.js';

/** The part of a question that says what is right. */
export type Expected = Pick<Question, 'options' | 'answer' | 'open'>;

/** An open answer as the part of a question. */
export function expectedOpen(open: OpenAnswer): Expected {
  return { options: {}, answer: writtenAnswer(open), open };
}

/** Reads the fields of a record. */
export function expectedOf(raw: Raw, at: RecordContext): Expected {
  const has = (field: string) => raw[field] !== undefined && raw[field] !== null;
  // What is not said is a choice where there are options, and else what the other fields show.
  if (has('options')) {
    const options = optionsOf(raw.options, 'options', at);
    return { options, answer: answerLetter(requiredText(raw, 'answer', at), options, 'answer', at) };
  }
  if (!['answer', 'answers', 'bbox', 'answer_kind'].some(has)) {
    fail(at, 'options', 'is missing, and so is answer, which an open question has alone');
  }
  const named = ['answer_kind', 'answers', 'bbox'].some(has);
  // A slip of the pen in `options` must not make a question open whose answer is a letter.
  if (typeof raw.answer === 'string' && /^\s*[A-Z]\s*$/.test(raw.answer) && !named) {
    fail(at, 'options', `is missing, and answer is the letter of one; give options, or answer_kind: text`);
  }
  const kind = raw.answer_kind ?? (has('bbox') ? 'boxes' : isNumber(raw.answer) ? 'number' : 'text');
  switch (kind) {
    case 'text':
      return expectedOpen({ kind: 'text', accepted: acceptedOf(raw, at) });
    case 'number':
      return expectedOpen({ kind: 'number', ...numberOf(raw, at) });
    case 'boxes':
      return expectedOpen({ kind: 'boxes', boxes: boxesOf(raw.bbox, 'bbox', at) });
    case 'report':
      return expectedOpen({ kind: 'report', reference: requiredText(raw, 'answer', at).trim() });
    case 'choice':
      return fail(at, 'options', 'is missing, and answer_kind is choice');
    default:
      return fail(at, 'answer_kind', `is ${describe(kind)}; use one of ${ANSWER_KINDS.join(', ')}`);
  }
}

/** The fields of an answer, as {@link expectedOf} reads them. */
export function expectedFields({ options, answer, open }: Expected): Readonly<Record<string, unknown>> {
  if (open === undefined) return { options, answer };
  switch (open.kind) {
    case 'text':
      return {
        answer,
        ...(open.accepted.length > 1 ? { answers: open.accepted } : {}),
        answer_kind: open.kind,
      };
    case 'number': {
      const { value, tolerance, unit } = open;
      return { answer: value, tolerance, ...(unit === undefined ? {} : { unit }), answer_kind: open.kind };
    }
    case 'boxes':
      return { answer, bbox: open.boxes, answer_kind: open.kind };
    case 'report':
      return { answer, answer_kind: open.kind };
  }
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function acceptedOf(raw: Raw, at: RecordContext): readonly string[] {
  const { answers } = raw;
  if (answers === undefined || answers === null) return [requiredText(raw, 'answer', at).trim()];
  if (!Array.isArray(answers)) fail(at, 'answers', `must be a list, not ${describe(answers)}`);
  const texts = answers.map((text: unknown, i) => {
    if (typeof text !== 'string' || text.trim() === '') {
      fail(at, `answers.${i}`, `must be text, not ${describe(text)}`);
    }
    return text.trim();
  });
  const first = optionalText(raw, 'answer', at)?.trim();
  const all = [...new Set(first === undefined ? texts : [first, ...texts])];
  if (all.length === 0) fail(at, 'answers', 'is empty; give a text, or leave it out beside answer');
  return all;
}

function numberOf(raw: Raw, at: RecordContext): { value: number; tolerance: number; unit?: string } {
  const value = Number(raw.answer);
  if (
    raw.answer === '' ||
    !Number.isFinite(value) ||
    typeof raw.answer === 'boolean' ||
    raw.answer === null
  ) {
    fail(at, 'answer', `must be a number, not ${describe(raw.answer)}`);
  }
  const tolerance = raw.tolerance === undefined || raw.tolerance === null ? 0 : Number(raw.tolerance);
  if (!(tolerance >= 0) || !Number.isFinite(tolerance)) {
    fail(at, 'tolerance', `must be a number of 0 or more, not ${describe(raw.tolerance)}`);
  }
  const unit = optionalText(raw, 'unit', at);
  return { value, tolerance, ...(unit === undefined ? {} : { unit }) };
}

/** One box or a list of boxes. */
export function boxesOf(value: unknown, field: string, at: RecordContext): Box[] {
  if (!Array.isArray(value)) fail(at, field, `must be a list, not ${describe(value)}`);
  const list: readonly unknown[] = value.length === 4 && !value.some(Array.isArray) ? [value] : value;
  if (list.length === 0) fail(at, field, 'has no box');
  return list.map((box, i) => {
    const name = list.length === 1 ? field : `${field}.${i}`;
    const numbers = Array.isArray(box) ? box.map(Number) : [];
    if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
      fail(at, name, `must be four numbers [x1, y1, x2, y2], not ${describe(box)}`);
    }
    const four = numbers as unknown as Box;
    if (!hasArea(four)) fail(at, name, `has no area: ${describe(box)}; x2 must exceed x1, and y2 y1`);
    return four;
  });
}
