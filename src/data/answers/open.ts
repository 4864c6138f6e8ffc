/** What the right answer of an open question is. */
import type { Box } from './boxes.js';

/** One of several wordings. */
export interface TextAnswer {
  readonly kind: 'text';
  /** Any of these is right; the first is the one to learn. */
  readonly accepted: readonly string[];
}

/** A number that may be off by a little. */
export interface NumberAnswer {
  readonly kind: 'number';
  readonly value: number;
  /** Largest difference that still counts as right. */
  readonly tolerance: number;
  /** Unit of both, as people write it: `mm`. */
  readonly unit?: string;
}

/** Where something is. Boxes have the coordinates that the question asks for, whatever these count. */
export interface BoxesAnswer {
  readonly kind: 'boxes';
  readonly boxes: readonly Box[];
}

/** A text that is compared, and never right or wrong as a whole. */
export interface ReportAnswer {
  readonly kind: 'report';
  readonly reference: string;
}

/** See above. */
export type OpenAnswer = TextAnswer | NumberAnswer | BoxesAnswer | ReportAnswer;

/** Kinds of answers; `choice` is that of questions with options. */
export const ANSWER_KINDS = ['choice', 'text', 'number', 'boxes', 'report'] as const;

/** See {@link ANSWER_KINDS}. */
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** The answer as one would write it. */
export function writtenAnswer(open: OpenAnswer): string {
  switch (open.kind) {
    case 'text':
      return open.accepted[0] as string;
    case 'number':
      return open.unit === undefined ? String(open.value) : `${open.value} ${open.unit}`;
    case 'boxes':
      return JSON.stringify(open.boxes.length === 1 ? open.boxes[0] : open.boxes);
    case 'report':
      return open.reference;
  }
}

/** The texts that an answer may be compared with; none where it is no text. */
export function referenceTexts(open: OpenAnswer | undefined): readonly string[] {
  if (open?.kind === 'text') return open.accepted;
  return open?.kind === 'report' ? [open.reference] : [];
}
