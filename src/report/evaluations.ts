/** Evaluations that stand beside a run, in `RUN/eval/<name>/summary.json`. */
import type { EvalSummary } from '../eval/summary.js';
import { folderReader, isFolder, join, listFolder } from '../platform/files.js';
import type { Evaluation } from './model.js';
import { withoutPaths } from './scrub.js';

/** Names that say which evaluation came first; others follow in the order of their names. */
const ORDER = ['start', 'before', 'base', 'baseline', 'sft', 'end', 'after', 'final'];

/** The evaluations of a run, the one of its start first; folders without a usable summary are left out. */
export async function readEvaluations(runDir: string): Promise<Evaluation[]> {
  const folder = join(runDir, 'eval');
  if (!(await isFolder(folder))) return [];
  const names = (await listFolder(folder)) ?? [];
  const found: Evaluation[] = [];
  for (const name of names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }))) {
    const bytes = await folderReader(join(folder, name))('summary.json').catch(() => undefined);
    const evaluation = bytes && evaluationOf(name, new TextDecoder().decode(bytes));
    if (evaluation !== undefined) found.push(evaluation);
  }
  return found;
}

function rank(name: string): number {
  const at = ORDER.indexOf(name);
  // Between the two ends: step-100 comes after the start and before the end.
  return at < 0 ? ORDER.indexOf('sft') + 0.5 : at;
}

/** What {@link evaluationFrom} takes from the text of `summary.json`; undefined when it is not one, or is half written. */
export function evaluationOf(name: string, json: string): Evaluation | undefined {
  try {
    return evaluationFrom(name, JSON.parse(json) as EvalSummary);
  } catch {
    return undefined;
  }
}

/** The part of a summary that the matrix shows. */
export function evaluationFrom(name: string, summary: EvalSummary): Evaluation {
  return {
    name,
    model: withoutPaths(summary.model + (summary.adapter === undefined ? '' : ` + ${summary.adapter}`)),
    data: withoutPaths(summary.data),
    style: summary.settings.style,
    cells: summary.cells.map((cell) => ({
      modality: cell.modality,
      questionType: cell.question_type,
      n: cell.robust.n,
      robust: cell.robust.correct,
      paper: cell.paper.correct,
      random: cell.random * cell.robust.n,
    })),
  };
}
