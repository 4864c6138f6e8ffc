/** An evaluation's folder as the content of a report; questions take the place of a run's steps. */
import { stringify } from 'yaml';
import { readPredictions, readSummary } from '../eval/files.js';
import type { Accuracy, EvalSummary, Prediction } from '../eval/summary.js';
import { isFolder, listFolder } from '../platform/files.js';
import { folderName, type ReportContent } from './content.js';
import { evaluationFrom } from './evaluations.js';
import { type CompletionLine, parseCompletion, traceGroup } from './records.js';
import { imageRoots } from './run-config.js';
import { scrubbed, withoutPaths } from './scrub.js';
import { TraceStore } from './trace-store.js';

const FILES = ['summary.json', 'predictions.jsonl'] as const;

/** Whether a folder holds an evaluation, and not a run. */
export async function isEvaluation(dir: string): Promise<boolean> {
  const names = ((await isFolder(dir)) && (await listFolder(dir))) || [];
  return FILES.every((name) => names.includes(name)) && !names.includes('metrics.jsonl');
}

/**
 * Reads an evaluation.
 *
 * @param capacity most completions to keep; see {@link TraceStore}.
 */
export async function readEvaluationContent(dir: string, capacity: number): Promise<ReportContent> {
  const summary = await readSummary(dir);
  const name = folderName(dir) ?? 'evaluation';
  const pictures: string[] = [];
  const places = new Map<string, number>();
  const picture = (path: string) => {
    const place = places.get(path) ?? pictures.push(path) - 1;
    places.set(path, place);
    return place;
  };
  const store = new TraceStore(capacity);
  let badLines = 0;
  for (const [i, samples] of byQuestion(await readPredictions(dir)).entries()) {
    const lines = samples.flatMap((prediction) => completionLine(prediction, i + 1) ?? []);
    badLines += samples.length - lines.length;
    if (lines.length > 0) store.add(traceGroup(lines, picture));
  }
  const { model, adapter, data, skipped, settings, time } = summary;
  const config = { model, ...(adapter !== undefined && { adapter }), data, skipped, settings, time };
  return {
    rows: [],
    evaluations: [evaluationFrom(name, summary)],
    // The matrix is that of the summary; counts by question would say it again.
    traces: { groups: store.groups, seen: store.seen, tallies: [] },
    pictures,
    badLines,
    files: FILES,
    imageRoots: () => imageRoots(dir, [data]),
    info: (extra) => ({
      kind: 'evaluation',
      name,
      config: stringify(scrubbed(config)),
      facts: factsOf(summary),
      ...extra,
    }),
  };
}

/** Predictions by question, in the order in which questions first appear. */
function byQuestion(predictions: readonly Prediction[]): Prediction[][] {
  const questions = new Map<string, Prediction[]>();
  for (const prediction of predictions) {
    const samples = questions.get(prediction.id);
    if (samples === undefined) questions.set(prediction.id, [prediction]);
    else samples.push(prediction);
  }
  return [...questions.values()];
}

/** A prediction as a line of a run's completions; what each reading found stands where a run has its rewards. */
function completionLine(prediction: Prediction, number: number): CompletionLine | undefined {
  const { letter, how, correct, paper_answer: paper, paper_correct, scores = {} } = prediction;
  const said = prediction.said ?? letter;
  return parseCompletion({
    ...prediction,
    step: number,
    group: '',
    prompt_id: prediction.id,
    rewards: {
      'robust reading': {
        value: prediction.answer_kind === 'report' ? null : Number(correct),
        reason: said === null ? `none: ${how}` : `${said}: ${how}`,
      },
      ...Object.fromEntries(Object.entries(scores).map(([name, value]) => [name, { value, reason: '' }])),
      'Med-R1 reading': { value: Number(paper_correct), reason: paper === null ? 'nothing' : `"${paper}"` },
    },
  });
}

/** What a reader wants to see first. */
function factsOf(summary: EvalSummary): (readonly [string, string])[] {
  const { settings, lengths, tags, pass_at_k, majority_vote } = summary;
  const sampled = settings.temperature > 0;
  return [
    ['Model', withoutPaths(summary.model)],
    ...(summary.adapter === undefined ? [] : [['Adapter', withoutPaths(summary.adapter)] as const]),
    ['Data', withoutPaths(summary.data)],
    ['Prompt style', settings.style],
    [
      'Answers per question',
      `${settings.samples}${sampled ? ` at temperature ${settings.temperature}` : ', greedy'}`,
    ],
    ['Right (robust reading)', share(summary.robust)],
    ['Right (Med-R1 reading)', share(summary.paper)],
    ['Guessing', percent(summary.random)],
    ['Always the commonest answer', percent(summary.majority)],
    ...Object.entries(summary.scores ?? {}).map(
      ([name, { mean, n }]) => [`Mean ${name}`, `${mean.toFixed(3)} (${n})`] as const,
    ),
    ...Object.entries(pass_at_k ?? {}).map(([k, value]) => [`pass@${k}`, percent(value)] as const),
    ...(majority_vote ? [['Majority vote', share(majority_vote)] as const] : []),
    ['Tokens per answer', lengths.mean.toFixed(1)],
    ['No answer found', percent(tags.no_answer)],
    ['Cut off', percent(tags.truncated)],
  ];
}

function share({ accuracy, low, high }: Accuracy): string {
  return `${percent(accuracy)} (${percent(low)} to ${percent(high)})`;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)}%`;
}
