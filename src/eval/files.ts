/** Evaluations on disk: `summary.json` and `predictions.jsonl`. */
import { DataError } from '../data/errors.js';
import { jsonLines } from '../data/readers/containers.js';
import { JsonProblem, parseJsonObject } from '../formats/json.js';
import { atomicWrite, isFolder, join, makeFolder, readWholeFile } from '../platform/files.js';
import type { Evaluation } from './evaluate.js';
import type { EvalSummary, Prediction } from './summary.js';

const SUMMARY = 'summary.json';
const PREDICTIONS = 'predictions.jsonl';

/** What was evaluated, as the user named it. */
export interface Subject {
  readonly model: string;
  readonly adapter?: string;
  readonly data: string;
  /** Records of the data that could not be used. */
  readonly skipped: number;
}

/** The summary of an evaluation. */
export function summaryOf({ tables, time }: Evaluation, subject: Subject): EvalSummary {
  return { format: 'osler-eval/1', ...subject, ...tables, time };
}

/** Writes an evaluation into a folder; the summary last, so that where it is everything is. */
export async function writeEvaluation(
  dir: string,
  evaluation: Evaluation,
  subject: Subject,
): Promise<EvalSummary> {
  const summary = summaryOf(evaluation, subject);
  await makeFolder(dir);
  const lines = evaluation.predictions.map((prediction) => `${JSON.stringify(prediction)}\n`);
  await atomicWrite(join(dir, PREDICTIONS), lines.join(''));
  await atomicWrite(join(dir, SUMMARY), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

/** Reads the summary of an evaluation, given its folder or the file. */
export async function readSummary(path: string): Promise<EvalSummary> {
  const file = (await isFolder(path)) ? join(path, SUMMARY) : path;
  try {
    const value = parseJsonObject(await readWholeFile(file)) as Partial<EvalSummary>;
    if (value.format === 'osler-eval/1') return value as EvalSummary;
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new DataError({ file }, error.message);
  }
  throw new DataError({ file }, 'is not a summary of osler eval (format osler-eval/1)');
}

/** Reads the predictions of an evaluation, given its folder or the file. */
export async function readPredictions(path: string): Promise<Prediction[]> {
  const file = (await isFolder(path)) ? join(path, PREDICTIONS) : path;
  const predictions: Prediction[] = [];
  for (const { line, value } of jsonLines(await readWholeFile(file), file)) {
    if (value instanceof DataError) throw value;
    predictions.push(checked(value, { file, line }));
  }
  return predictions;
}

function checked(
  value: Readonly<Record<string, unknown>>,
  place: { file: string; line: number },
): Prediction {
  for (const [field, type] of [
    ['id', 'string'],
    ['sample', 'number'],
    ['answer', 'string'],
    ['correct', 'boolean'],
    ['paper_correct', 'boolean'],
  ] as const) {
    if (typeof value[field] !== type)
      throw new DataError({ ...place, field }, `is not a ${type}; is this a file of osler eval?`);
  }
  return value as unknown as Prediction;
}
