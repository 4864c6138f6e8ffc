/** The tables of an evaluation as rows of text. */

import { SCORES, type ScoreName } from '../data/answers/grade.js';
import { MODALITIES, QUESTION_TYPES } from '../data/modalities.js';
import type { Accuracy, Cell, EvalSummary } from './summary.js';

/** A heading and rows. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Accuracy in all and by one key: both readings, the interval, what guessing would score, and the scores of open answers. */
export function accuracyTable(title: string, all: Cell, groups: Readonly<Record<string, Cell>>): TextTable {
  const scores = scoresIn(all);
  const row = (name: string, cell: Cell) => [
    name,
    String(cell.robust.n),
    percent(cell.robust.accuracy),
    interval(cell.robust),
    percent(cell.paper.accuracy),
    percent(cell.random),
    percent(cell.majority),
    ...scores.map((name) => scoreText(cell, name)),
  ];
  return {
    head: [title, 'n', 'robust', '95% interval', 'paper', 'random', 'majority', ...scores],
    rows: [...inOrder(Object.keys(groups)).map((name) => row(name, groups[name] as Cell)), row('all', all)],
  };
}

/** The scores that a cell has. */
export function scoresIn({ scores }: Pick<Cell, 'scores'>): ScoreName[] {
  return SCORES.filter((name) => scores?.[name] !== undefined);
}

function scoreText({ scores }: Cell, name: ScoreName): string {
  const score = scores?.[name];
  return score === undefined ? '' : score.mean.toFixed(3);
}

/** Robust accuracy, or a score of open answers, by modality (rows) and question type (columns). */
export function matrixTable(summary: EvalSummary, score?: ScoreName): TextTable {
  const shown = (cell: Cell) => {
    if (score !== undefined) return scoreText(cell, score);
    return cell.robust.n === 0 ? '' : percent(cell.robust.accuracy);
  };
  const types = inOrder(Object.keys(summary.by_question_type));
  const rows = inOrder(Object.keys(summary.matrix)).map((modality) => [
    modality,
    ...types.map((type) => {
      const cell = summary.matrix[modality]?.[type];
      return cell === undefined ? '' : shown(cell);
    }),
    shown(summary.by_modality[modality] as Cell),
  ]);
  const last = ['all', ...types.map((type) => shown(summary.by_question_type[type] as Cell))];
  return {
    head: [score ?? 'robust accuracy', ...types, 'all'],
    rows: [...rows, [...last, shown(summary)]],
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
