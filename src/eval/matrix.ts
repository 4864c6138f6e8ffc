/** Generalization matrices: models trained on one domain each, tested on all of them (Med-R1's 8x8 and 5x5). */
import { SCORES, type ScoreName } from '../data/answers/grade.js';
import type { Cell, EvalSummary } from './summary.js';
import { inOrder } from './tables.js';

/** What a domain is: the cross-modality and the cross-task matrix. */
export type Domain = 'modality' | 'question_type';

/** What a matrix shows: the accuracy of a reading, or a score of open answers. */
export type MatrixReading = 'robust' | 'paper' | ScoreName;

/** See {@link MatrixReading}. */
export const MATRIX_READINGS: readonly MatrixReading[] = ['robust', 'paper', ...SCORES];

/** One model of a matrix: the domain that it was trained on, and how it did on all. */
export interface MatrixRow {
  readonly trained: string;
  readonly summary: EvalSummary;
}

/** Accuracies by the domain trained on (rows) and tested on (columns), in [0, 1]. */
export interface Matrix {
  readonly domain: Domain;
  readonly reading: MatrixReading;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Null where a model was not tested on a domain. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly questions: readonly (readonly number[])[];
  /** Accuracies of the untrained model by column, where it was evaluated. */
  readonly base?: readonly (number | null)[];
  /** Mean over the domains that a row's model was not trained on. */
  readonly generalization: readonly (number | null)[];
  /** Mean of the diagonal: tested on what they were trained on. */
  readonly in_domain: number | null;
  /** Mean off the diagonal. */
  readonly cross_domain: number | null;
}

function shownBy(cell: Cell | undefined, reading: MatrixReading): { value: number | null; n: number } {
  if (reading === 'robust' || reading === 'paper') {
    const { n = 0, accuracy = null } = cell?.[reading] ?? {};
    return { value: n === 0 ? null : accuracy, n };
  }
  const { n = 0, mean = null } = cell?.scores?.[reading] ?? {};
  return { value: mean, n };
}

/** Collects evaluations into a matrix. */
export function generalizationMatrix(
  rows: readonly MatrixRow[],
  options: { readonly domain: Domain; readonly reading?: MatrixReading; readonly base?: EvalSummary },
): Matrix {
  const { domain, reading = 'robust', base } = options;
  const cellsOf = ({ by_modality, by_question_type }: EvalSummary) =>
    domain === 'modality' ? by_modality : by_question_type;
  const accuracy = (cell: Cell | undefined) => shownBy(cell, reading).value;
  const names = inOrder(rows.map(({ trained }) => trained));
  const byName = new Map(rows.map(({ trained, summary }) => [trained, summary]));
  const summaries = names.map((name) => byName.get(name) as EvalSummary);
  const columns = inOrder([...new Set(summaries.flatMap((summary) => Object.keys(cellsOf(summary))))]);
  const values = summaries.map((summary) => columns.map((column) => accuracy(cellsOf(summary)[column])));
  const off = (row: number) => (values[row] as (number | null)[]).filter((_, k) => columns[k] !== names[row]);
  return {
    domain,
    reading,
    rows: names,
    columns,
    values,
    questions: summaries.map((summary) =>
      columns.map((column) => shownBy(cellsOf(summary)[column], reading).n),
    ),
    ...(base ? { base: columns.map((column) => accuracy(cellsOf(base)[column])) } : {}),
    generalization: names.map((_, row) => meanOf(off(row))),
    in_domain: meanOf(names.map((name, row) => values[row]?.[columns.indexOf(name)] ?? null)),
    cross_domain: meanOf(names.flatMap((_, row) => off(row))),
  };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
