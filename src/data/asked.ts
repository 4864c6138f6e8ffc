/** What a line of results says of the question that was asked; the same in completions.jsonl and predictions.jsonl. */
import { imageName } from './images.js';
import type { Question } from './question.js';

/** A question without its pictures' bytes, reasoning and place. */
export interface Asked {
  /** Paths relative to the dataset's folder; a name for pictures that came inside of the dataset. */
  readonly images: readonly string[];
  readonly question: string;
  readonly options: Readonly<Record<string, string>>;
  readonly answer: string;
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
  modality,
  question_type,
  dataset,
}: Question): Asked {
  return {
    images: images.map(imageName),
    question,
    options,
    answer,
    ...(modality === undefined ? {} : { modality }),
    ...(question_type === undefined ? {} : { question_type }),
    ...(dataset === undefined ? {} : { dataset }),
  };
}
