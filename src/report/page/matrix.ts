/** Accuracy by modality and question type, before and after. */
import { MODALITIES, QUESTION_TYPES } from '../../data/modalities.js';
import { wilsonInterval } from '../../eval/statistics.js';
import type { Evaluation, StepTally } from '../model.js';

/** How answers are read: Osler's careful reading, or that of Med-R1's scripts. */
export type Reading = 'robust' | 'paper';

/** Right answers among questions. */
export interface Score {
  readonly n: number;
  readonly correct: number;
  readonly accuracy: number;
  /** Ends of the 95% Wilson interval. */
  readonly low: number;
  readonly high: number;
  /** What guessing would score; absent where it is not known. */
  readonly random?: number;
}

/** Something that can stand on either side of the comparison. */
export interface ScoreSource {
  readonly id: string;
  readonly label: string;
  readonly note: string;
  /** Only evaluations tell the two readings apart. */
  readonly readings: readonly Reading[];
  readonly cells: readonly {
    readonly modality: string;
    readonly questionType: string;
    readonly n: number;
    readonly correct: Readonly<Record<Reading, number>>;
    readonly random?: number;
  }[];
}

/** A table of scores; an absent modality or type is the sum over all. */
export interface ScoreTable {
  readonly modalities: readonly string[];
  readonly questionTypes: readonly string[];
  score(modality: string | undefined, questionType: string | undefined): Score | undefined;
}

/** Name of questions that say nothing of themselves. */
export const UNNAMED = 'Not stated';

/** The sources that a run has: its evaluations, and rollouts of its first and last steps. */
export function scoreSources(
  evaluations: readonly Evaluation[],
  tallies: readonly StepTally[],
): ScoreSource[] {
  const sources: ScoreSource[] = evaluations.map((evaluation) => ({
    id: `eval:${evaluation.name}`,
    label: `Evaluation “${evaluation.name}”`,
    note: `${evaluation.model} on ${evaluation.data}, prompt style ${evaluation.style}`,
    readings: ['robust', 'paper'],
    cells: evaluation.cells.map(({ robust, paper, ...cell }) => ({ ...cell, correct: { robust, paper } })),
  }));
  const steps = [...new Set(tallies.map(({ step }) => step))].sort((a, b) => a - b);
  if (steps.length < 2) return sources;
  const tenth = Math.max(1, Math.round(steps.length / 10));
  for (const [id, some] of [
    ['first', steps.slice(0, tenth)],
    ['last', steps.slice(-tenth)],
  ] as const) {
    const chosen = new Set(some);
    sources.push({
      id: `rollouts:${id}`,
      label: `Rollouts, ${id} ${some.length === 1 ? 'step' : `${some.length} steps`}`,
      note: `Sampled answers to training questions in steps ${some[0]} to ${some.at(-1)}`,
      readings: ['robust'],
      cells: tallies
        .filter(({ step }) => chosen.has(step))
        .map(({ modality, questionType, n, correct }) => {
          return { modality, questionType, n, correct: { robust: correct, paper: correct } };
        }),
    });
  }
  return sources;
}

/** The two sources that say most of what the run changed: first and last evaluation, else first and last rollouts. */
export function defaultPair(sources: readonly ScoreSource[]): [string | undefined, string | undefined] {
  const evaluations = sources.filter(({ id }) => id.startsWith('eval:'));
  const pair = evaluations.length >= 2 || sources.length === 1 ? evaluations : sources.slice(-2);
  if (pair.length === 1) return [undefined, pair[0]?.id];
  return [pair[0]?.id, pair.at(-1)?.id];
}

/** Sums the cells of a source. */
export function scoreTable(source: ScoreSource, reading: Reading): ScoreTable {
  const name = (text: string) => (text === '' ? UNNAMED : text);
  const sums = new Map<string, { n: number; correct: number; random: number | undefined }>();
  const key = (modality?: string, type?: string) => JSON.stringify([modality ?? null, type ?? null]);
  for (const cell of source.cells) {
    const [modality, type] = [name(cell.modality), name(cell.questionType)];
    for (const at of [key(modality, type), key(modality), key(undefined, type), key()]) {
      const sum = sums.get(at) ?? { n: 0, correct: 0, random: 0 };
      const random =
        sum.random === undefined || cell.random === undefined ? undefined : sum.random + cell.random;
      sums.set(at, { n: sum.n + cell.n, correct: sum.correct + cell.correct[reading], random });
    }
  }
  return {
    modalities: inOrder(
      source.cells.map(({ modality }) => name(modality)),
      MODALITIES,
    ),
    questionTypes: inOrder(
      source.cells.map(({ questionType }) => name(questionType)),
      QUESTION_TYPES,
    ),
    score: (modality, type) => {
      const sum = sums.get(key(modality, type));
      if (sum === undefined || sum.n === 0) return undefined;
      const { n, correct, random } = sum;
      return {
        n,
        correct,
        accuracy: correct / n,
        ...wilsonInterval(correct, n),
        ...(random !== undefined && { random: random / n }),
      };
    },
  };
}

/** Distinct names: known ones in the order of Med-R1's tables, others after them. */
export function inOrder(names: readonly string[], known: readonly string[]): string[] {
  const rank = (name: string) => (known.includes(name) ? known.indexOf(name) : known.length);
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** Whether two scores differ by more than chance is likely to make them: their intervals do not meet. */
export function apart(a: Score, b: Score): boolean {
  return a.high < b.low || b.high < a.low;
}
