/** From predictions to the tables of `summary.json`. */
import { countTags } from '../data/answer.js';
import { SCORES } from '../data/answers/grade.js';
import { paperFormat } from '../data/paper.js';
import { groupBy, guessing } from '../data/stats.js';
import { majorityVote, mean, passAtK, quantile, wilsonInterval } from './statistics.js';
import type {
  Accuracy,
  Cell,
  EvalSettings,
  EvalSummary,
  LengthStats,
  NamedCell,
  Prediction,
  ScoreMean,
  TagStats,
} from './summary.js';

/** All samples of one question. */
interface Graded {
  readonly first: Prediction;
  readonly samples: readonly Prediction[];
}

/** Everything in `summary.json` that follows from the predictions. */
export type Tables = Omit<EvalSummary, 'format' | 'model' | 'adapter' | 'data' | 'skipped' | 'time'>;

/** Tables of predictions; the samples of a question share its id. */
export function summarize(predictions: readonly Prediction[], settings: EvalSettings): Tables {
  const graded = gradedOf(predictions);
  const by = (key: (prediction: Prediction) => string | undefined) =>
    mapValues(
      groupBy(graded, ({ first }) => key(first)),
      cellOf,
    );
  const matrix = mapValues(
    groupBy(graded, ({ first }) => first.modality),
    (some) =>
      mapValues(
        groupBy(some, ({ first }) => first.question_type),
        cellOf,
      ),
  );
  return {
    settings,
    questions: graded.length,
    completions: predictions.length,
    ...cellOf(graded),
    by_modality: by(({ modality }) => modality),
    by_question_type: by(({ question_type }) => question_type),
    by_dataset: by(({ dataset }) => dataset),
    matrix,
    cells: namedCells(graded),
    ...severalSamples(graded),
    lengths: lengthsOf(predictions),
    tags: tagsOf(predictions, settings),
  };
}

function gradedOf(predictions: readonly Prediction[]): Graded[] {
  const questions = new Map<string, Prediction[]>();
  for (const prediction of predictions) {
    const samples = questions.get(prediction.id);
    if (samples === undefined) questions.set(prediction.id, [prediction]);
    else samples.push(prediction);
  }
  return [...questions.values()].map((samples) => ({ first: samples[0] as Prediction, samples }));
}

function mapValues<T, R>(groups: ReadonlyMap<string, T>, of: (group: T) => R): Record<string, R> {
  return Object.fromEntries([...groups].map(([name, group]) => [name, of(group)]));
}

/** Accuracy with its interval; the questions are what is independent, however many samples each has. */
export function accuracyOf(shares: readonly number[]): Accuracy {
  const correct = shares.reduce((sum, share) => sum + share, 0);
  const n = shares.length;
  return { n, correct, accuracy: n === 0 ? 0 : correct / n, ...wilsonInterval(correct, n) };
}

function shareOf(samples: readonly Prediction[], right: (prediction: Prediction) => boolean): number {
  return samples.filter(right).length / samples.length;
}

/** Whether an answer can be right or wrong: reports are compared only. */
function isJudged({ first }: Graded): boolean {
  return first.answer_kind !== 'report';
}

/** Means of scores over questions; a question with several samples counts with the mean of its own. */
function scoresOf(graded: readonly Graded[]): Pick<Cell, 'scores'> {
  const means = SCORES.flatMap((name): [string, ScoreMean][] => {
    const values = graded.flatMap(({ samples }) => {
      const own = samples.flatMap(({ scores }) => scores?.[name] ?? []);
      return own.length === 0 ? [] : [mean(own) as number];
    });
    return values.length === 0 ? [] : [[name, { n: values.length, mean: mean(values) as number }]];
  });
  return means.length === 0 ? {} : { scores: Object.fromEntries(means) };
}

function cellOf(all: readonly Graded[]): Cell {
  const graded = all.filter(isJudged);
  const letters = groupBy(graded, ({ first }) => first.answer);
  let majority = '';
  let most = 0;
  for (const [letter, some] of letters) {
    if (some.length > most) [majority, most] = [letter, some.length];
  }
  const n = Math.max(1, graded.length);
  const chance = graded.reduce((sum, { first }) => sum + guessing(first), 0);
  return {
    robust: accuracyOf(graded.map(({ samples }) => shareOf(samples, ({ correct }) => correct))),
    paper: accuracyOf(graded.map(({ samples }) => shareOf(samples, ({ paper_correct }) => paper_correct))),
    random: chance / n,
    majority: most / n,
    majority_letter: majority,
    ...scoresOf(all),
  };
}

function namedCells(graded: readonly Graded[]): NamedCell[] {
  const cells: NamedCell[] = [];
  for (const [modality, a] of groupBy(graded, ({ first }) => first.modality)) {
    for (const [question_type, b] of groupBy(a, ({ first }) => first.question_type)) {
      for (const [dataset, c] of groupBy(b, ({ first }) => first.dataset)) {
        cells.push({ modality, question_type, dataset, ...cellOf(c) });
      }
    }
  }
  return cells;
}

/** pass@k for k = 1, 2, 4, ... and the number of samples, and the majority vote. */
function severalSamples(all: readonly Graded[]): Pick<Tables, 'pass_at_k' | 'majority_vote'> {
  const graded = all.filter(isJudged);
  const n = Math.min(...graded.map(({ samples }) => samples.length));
  if (graded.length === 0 || n < 2) return {};
  const ks = [...powersOfTwo(n - 1), n];
  const right = graded.map(({ samples }) => samples.filter(({ correct }) => correct).length);
  const pass = (k: number) =>
    mean(graded.map(({ samples }, i) => passAtK(samples.length, right[i] as number, k))) as number;
  // Whether an answer is right is known of each sample; the vote is right where one that gives it is.
  const votes = graded.map(({ samples }): number => {
    const vote = majorityVote(samples.map(saidBy));
    return vote !== undefined && samples.some((sample) => saidBy(sample) === vote && sample.correct) ? 1 : 0;
  });
  return {
    pass_at_k: Object.fromEntries(ks.map((k) => [String(k), pass(k)])),
    majority_vote: accuracyOf(votes),
  };
}

/** What a sample answers: a letter, or an open answer. */
function saidBy({ letter, said }: Prediction): string | null {
  return said === undefined ? letter : said;
}

function powersOfTwo(most: number): number[] {
  const out: number[] = [];
  for (let k = 1; k <= most; k *= 2) out.push(k);
  return out;
}

function lengthsOf(predictions: readonly Prediction[]): LengthStats {
  const sorted = predictions.map(({ token_count }) => token_count).sort((a, b) => a - b);
  const of = (right: boolean) =>
    mean(predictions.filter(({ correct }) => correct === right).map(({ token_count }) => token_count));
  return {
    mean: mean(sorted) ?? 0,
    min: sorted[0] ?? 0,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    max: sorted.at(-1) ?? 0,
    mean_correct: of(true),
    mean_wrong: of(false),
  };
}

function tagsOf(predictions: readonly Prediction[], { style }: EvalSettings): TagStats {
  const n = Math.max(1, predictions.length);
  const share = (holds: (prediction: Prediction) => boolean) => predictions.filter(holds).length / n;
  const pairs = (tag: 'answer' | 'think', { completion }: Prediction) => countTags(completion, tag);
  const format = style === 'no-think' || style === 'zero-shot' ? 'no-think' : 'think';
  return {
    paper_format: share(({ completion }) => paperFormat(completion, format) === 1),
    one_answer_pair: share((p) => pairs('answer', p).open === 1 && pairs('answer', p).close === 1),
    no_answer_tag: share((p) => pairs('answer', p).open === 0 && pairs('answer', p).close === 0),
    several_answer_tags: share((p) => pairs('answer', p).open > 1 || pairs('answer', p).close > 1),
    one_think_pair: share((p) => pairs('think', p).open === 1 && pairs('think', p).close === 1),
    truncated: share(({ finish_reason }) => finish_reason === 'length'),
    no_answer: share((prediction) => saidBy(prediction) === null),
  };
}
