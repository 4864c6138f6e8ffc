/** Two evaluations of the same questions against each other. */
import { SCORES, type ScoreName } from '../data/answers/grade.js';
import { groupBy } from '../data/stats.js';
import { type McNemar, mcNemar } from './statistics.js';
import type { Prediction } from './summary.js';

/** Which reading of answers counts. */
export type Reading = 'robust' | 'paper';

/** Two models on the same questions. */
export interface PairedCell {
  readonly n: number;
  /** Accuracies, and the second's minus the first's. */
  readonly a: number;
  readonly b: number;
  readonly delta: number;
  /** Questions that only one of them answered right: what McNemar's test looks at. */
  readonly only_a: number;
  readonly only_b: number;
  readonly p: number;
  readonly method: McNemar['method'];
  /** Scores of open questions; only where there are some. Reports have nothing else: they do not count above. */
  readonly scores?: Readonly<Partial<Record<ScoreName, PairedScore>>>;
}

/** Means of a score over the questions that both answered. */
export interface PairedScore {
  readonly n: number;
  readonly a: number;
  readonly b: number;
  readonly delta: number;
}

/** Result of {@link compareEvaluations}. */
export interface Comparison extends PairedCell {
  readonly reading: Reading;
  /** Questions of one evaluation that the other lacks; they do not count. */
  readonly missing_in_a: number;
  readonly missing_in_b: number;
  readonly by_modality: Readonly<Record<string, PairedCell>>;
  readonly by_question_type: Readonly<Record<string, PairedCell>>;
  readonly by_dataset: Readonly<Record<string, PairedCell>>;
  /** Modality, then question type. */
  readonly matrix: Readonly<Record<string, Readonly<Record<string, PairedCell>>>>;
}

interface Pair {
  readonly question: Prediction;
  readonly a: boolean;
  readonly b: boolean;
  readonly scores: readonly [Prediction['scores'], Prediction['scores']];
}

/** Compares the first samples of two evaluations, question by question. */
export function compareEvaluations(
  a: readonly Prediction[],
  b: readonly Prediction[],
  reading: Reading = 'robust',
): Comparison {
  const right = ({ correct, paper_correct }: Prediction) => (reading === 'robust' ? correct : paper_correct);
  const [firstA, firstB] = [a, b].map((all) => new Map(all.filter(isFirst).map((p) => [p.id, p]))) as [
    Map<string, Prediction>,
    Map<string, Prediction>,
  ];
  const pairs: Pair[] = [];
  for (const [id, question] of firstA) {
    const other = firstB.get(id);
    if (other === undefined) continue;
    const scores = [question.scores, other.scores] as const;
    pairs.push({ question, a: right(question), b: right(other), scores });
  }
  const by = (key: (question: Prediction) => string | undefined) => cellsBy(pairs, key);
  return {
    reading,
    ...pairedCell(pairs),
    missing_in_a: firstB.size - pairs.length,
    missing_in_b: firstA.size - pairs.length,
    by_modality: by(({ modality }) => modality),
    by_question_type: by(({ question_type }) => question_type),
    by_dataset: by(({ dataset }) => dataset),
    matrix: Object.fromEntries(
      [...groupBy(pairs, ({ question }) => question.modality)].map(([name, some]) => [
        name,
        cellsBy(some, ({ question_type }) => question_type),
      ]),
    ),
  };
}

function isFirst({ sample }: Prediction): boolean {
  return sample === 0;
}

function cellsBy(
  pairs: readonly Pair[],
  key: (question: Prediction) => string | undefined,
): Record<string, PairedCell> {
  return Object.fromEntries(
    [...groupBy(pairs, ({ question }) => key(question))].map(([name, some]) => [name, pairedCell(some)]),
  );
}

function pairedScores(pairs: readonly Pair[]): Pick<PairedCell, 'scores'> {
  const found = SCORES.flatMap((name): [string, PairedScore][] => {
    const both = pairs.flatMap(({ scores: [a, b] }) =>
      a?.[name] === undefined || b?.[name] === undefined ? [] : [[a[name], b[name]] as const],
    );
    if (both.length === 0) return [];
    const [a, b] = [0, 1].map(
      (side) => both.reduce((sum, pair) => sum + (pair[side] as number), 0) / both.length,
    );
    return [[name, { n: both.length, a: a as number, b: b as number, delta: (b as number) - (a as number) }]];
  });
  return found.length === 0 ? {} : { scores: Object.fromEntries(found) };
}

function pairedCell(all: readonly Pair[]): PairedCell {
  const pairs = all.filter(({ question }) => question.answer_kind !== 'report');
  const n = pairs.length;
  const count = (holds: (pair: Pair) => boolean) => pairs.filter(holds).length;
  const [onlyA, onlyB] = [count((pair) => pair.a && !pair.b), count((pair) => pair.b && !pair.a)];
  const [a, b] = [count((pair) => pair.a), count((pair) => pair.b)].map((right) =>
    n === 0 ? 0 : right / n,
  ) as [number, number];
  const { p, method } = mcNemar(onlyA, onlyB);
  return { n, a, b, delta: b - a, only_a: onlyA, only_b: onlyB, p, method, ...pairedScores(all) };
}
