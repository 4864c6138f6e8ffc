/** What a set of questions holds, and what guessing would score on it. */
import { imageKey } from './images.js';
import { answerKind, type Question } from './question.js';

/** Counts and baselines of some questions. */
export interface QuestionStats {
  readonly questions: number;
  readonly images: number;
  /** Expected accuracy of choosing an option at random; an open question is never guessed. */
  readonly random: number;
  /** Accuracy of always giving the commonest answer. */
  readonly majority: number;
  /** That answer: a letter, of open questions a text. */
  readonly majorityLetter: string;
}

/** Counts and baselines in all, by modality, by question type and by dataset. */
export interface DatasetStats extends QuestionStats {
  readonly byModality: Readonly<Record<string, QuestionStats>>;
  readonly byType: Readonly<Record<string, QuestionStats>>;
  readonly byDataset: Readonly<Record<string, QuestionStats>>;
  /** Questions by modality, then type. */
  readonly cells: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Questions by kind of answer. */
  readonly answerKinds: Readonly<Record<string, number>>;
  /** Questions by number of options. */
  readonly optionCounts: Readonly<Record<number, number>>;
  readonly withReasoning: number;
}

/** What the missing modality, question type or dataset is called in tables. */
export const UNKNOWN = 'unknown';

/** Counts and baselines of questions. */
export function questionStats(questions: readonly Question[]): QuestionStats {
  const images = new Set(questions.flatMap((q) => q.images.map((image) => imageKey(q, image))));
  const tally = countBy(questions, (q) => q.answer);
  const [majorityLetter, most] = Object.entries(tally).reduce(
    (best, entry) => (entry[1] > best[1] ? entry : best),
    ['', 0],
  );
  const chance = questions.reduce((sum, q) => sum + guessing(q), 0);
  const n = Math.max(1, questions.length);
  return {
    questions: questions.length,
    images: images.size,
    random: chance / n,
    majority: most / n,
    majorityLetter,
  };
}

/** Chance of guessing a question's answer. */
export function guessing({ options }: Pick<Question, 'options'>): number {
  const count = Object.keys(options).length;
  return count === 0 ? 0 : 1 / count;
}

/** All that `osler data stats` shows. */
export function datasetStats(questions: readonly Question[]): DatasetStats {
  const cells: Record<string, Record<string, number>> = {};
  for (const [modality, some] of groupBy(questions, (q) => q.modality)) {
    cells[modality] = countBy(some, (q) => q.question_type ?? UNKNOWN);
  }
  const split = (key: (q: Question) => string | undefined) =>
    Object.fromEntries([...groupBy(questions, key)].map(([name, some]) => [name, questionStats(some)]));
  return {
    ...questionStats(questions),
    byModality: split((q) => q.modality),
    byType: split((q) => q.question_type),
    byDataset: split((q) => q.dataset),
    cells,
    answerKinds: countBy(questions, answerKind),
    optionCounts: countBy(questions, (q) => String(Object.keys(q.options).length)),
    withReasoning: questions.filter((q) => q.reasoning !== undefined).length,
  };
}

/** Items by a key, in order of the key; what has none is under {@link UNKNOWN}. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = key(item) ?? UNKNOWN;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  return Object.fromEntries([...groupBy(items, key)].map(([name, some]) => [name, some.length]));
}
