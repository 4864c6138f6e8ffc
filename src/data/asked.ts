/** What a line of results says of the question that was asked; the same in completions.jsonl and predictions.jsonl. */

import type { AnswerKind } from './answers/open.js';
import { expectedFields } from './answers/record.js';
import { imageName } from './images.js';
import type { Question } from './question.js';

/** A question without its pictures' bytes, reasoning and place. */
export interface Asked {
  /** Paths relative to the dataset's folder; a name for pictures that came inside of the dataset. */
  readonly images: readonly string[];
  readonly question: string;
  readonly options: Readonly<Record<string, string>>;
  /** Letter of the right option; of an open question the answer as one would write it. */
  readonly answer: string;
  /** What else says what is right, of an open question; names are those of our JSONL. */
  readonly answers?: readonly string[];
  readonly tolerance?: number;
  readonly unit?: string;
  readonly bbox?: readonly (readonly number[])[];
  readonly answer_kind?: AnswerKind;
  readonly modality?: string;
  readonly question_type?: string;
  readonly dataset?: string;
}

/** The fields, in the order of a line. */
export function asked({
  images,
  question,
  options,
  answer,
  open,
  modality,
  question_type,
  dataset,
}: Question): Asked {
  const more = open === undefined ? {} : expectedFields({ options, answer, open });
  return {
    images: images.map(imageName),
    question,
    options,
    ...more,
    answer,
    ...(modality === undefined ? {} : { modality }),
    ...(question_type === undefined ? {} : { question_type }),
    ...(dataset === undefined ? {} : { dataset }),
  };
}
