/** The tables of an evaluation as rows of text. */
import { MODALITIES, QUESTION_TYPES } from '../data/modalities.js';
import type { Accuracy, Cell, EvalSummary } from './summary.js';

/** A heading and rows. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Accuracy in all and by one key: both readings, the interval, and what guessing would score. */
export function accuracyTable(title: string, all: Cell, groups: Readonly<Record<string, Cell>>): TextTable {
  const row = (name: string, cell: Cell) => [
    name,
    String(cell.robust.n),
    percent(cell.robust.accuracy),
    interval(cell.robust),
    percent(cell.paper.accuracy),
    percent(cell.random),
    percent(cell.majority),
  ];
  return {
    head: [title, 'n', 'robust', '95% interval', 'paper', 'random', 'majority'],
    rows: [...inOrder(Object.keys(groups)).map((name) => row(name, groups[name] as Cell)), row('all', all)],
  };
}

/** Robust accuracy by modality (rows) and question type (columns). */
export function matrixTable(summary: EvalSummary): TextTable {
  const types = inOrder(Object.keys(summary.by_question_type));
  const rows = inOrder(Object.keys(summary.matrix)).map((modality) => [
    modality,
    ...types.map((type) => {
      const cell = summary.matrix[modality]?.[type];
      return cell === undefined ? '' : percent(cell.robust.accuracy);
    }),
    percent((summary.by_modality[modality] as Cell).robust.accuracy),
  ]);
  const last = [
    'all',
    ...types.map((type) => percent((summary.by_question_type[type] as Cell).robust.accuracy)),
  ];
  return {
    head: ['robust accuracy', ...types, 'all'],
    rows: [...rows, [...last, percent(summary.robust.accuracy)]],
  };
}

/** Known names in the order of Med-R1's tables, then the others. */
export function inOrder(names: readonly string[]): string[] {
  const known: readonly string[] = [...MODALITIES, ...QUESTION_TYPES];
  const rank = (name: string) => (known.includes(name) ? known.indexOf(name) : known.length);
  return [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function interval({ low, high }: Accuracy): string {
  return `${(100 * low).toFixed(1)}-${(100 * high).toFixed(1)}`;
}
