/** Shuffling options, so that a letter says nothing about the answer. */
import { letterAt, type Question } from './question.js';
import type { Random } from './random.js';

/**
 * The question with its options in random order under the letters A, B, C, ...; reasoning that names letters is
 * dropped. An open question stays as it is.
 */
export function shuffleOptions(question: Question, random: Random): Question {
  if (question.open !== undefined) return question;
  const old = random.shuffle(Object.keys(question.options));
  const options = Object.fromEntries(
    old.map((letter, i) => [letterAt(i), question.options[letter] as string]),
  );
  const { problem: _problem, reasoning, ...rest } = question;
  // A letter that stands alone, but not the article or the pronoun that begins a sentence.
  const named =
    reasoning !== undefined && /\b[B-H]\b|\bA[).:]|\b(option|answer is|choice) A\b/.test(reasoning);
  return {
    ...rest,
    options,
    answer: letterAt(old.indexOf(question.answer)),
    ...(reasoning === undefined || named ? {} : { reasoning }),
  };
}
