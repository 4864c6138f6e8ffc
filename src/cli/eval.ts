/** `osler eval`: how well a model answers, by modality, question type and dataset. */

import type { CommandModule } from 'yargs';
import {
  ANSWER_STYLES,
  type AnswerStyle,
  loadDataset,
  type PaperReading,
  type Question,
  questionsOf,
  Random,
  select,
  shuffleOptions,
} from '../data/index.js';
import { type EvaluateProgress, evaluateModel } from '../eval/evaluate.js';
import { summaryOf, writeEvaluation } from '../eval/files.js';
import type { EvalSummary } from '../eval/summary.js';
import { accuracyTable, matrixTable, scoresIn } from '../eval/tables.js';
import { counted, leftOut } from '../formats/counted.js';
import { FeatureCache } from '../models/core/features.js';
import { makeFolder } from '../platform/files.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { type GenerationArgs, generationOptions, openSession } from './generation.js';
import { COUNT, COUNT_OR_NONE, NOT_NEGATIVE, numbers, SEED, SHARE } from './numbers.js';
import { writeOwnReport } from './own-report.js';
import { percent, textTable } from './table.js';
import { print, printJson, showProgress, tell } from './terminal.js';

interface Args extends CommonArgs, GenerationArgs {
  readonly data: string;
  readonly out?: string;
  readonly style: AnswerStyle;
  readonly phase: 'train' | 'eval';
  readonly template?: string;
  readonly system?: string;
  readonly 'paper-reading'?: PaperReading;
  readonly temperature: number;
  readonly 'top-p': number;
  readonly 'top-k': number;
  readonly samples: number;
  readonly 'max-new-tokens': number;
  readonly seed: number;
  readonly modality?: string[];
  readonly 'question-type'?: string[];
  readonly dataset?: string[];
  readonly limit?: number;
  readonly 'shuffle-options': boolean;
  readonly strict: boolean;
}

/** The questions to ask, and how many records could not be used. */
async function questionsFor(args: Args): Promise<{ questions: Question[]; skipped: number }> {
  const dataset = await loadDataset(args.data, { strict: args.strict });
  const { questions: all, problems } = questionsOf(dataset.samples);
  const [bad] = problems;
  if (bad && args.strict) throw bad;
  const skipped = [...dataset.problems, ...problems];
  if (skipped[0]) tell(`${leftOut(skipped.length, 'record')}, such as ${skipped[0].message}`);
  if (all.length === 0) throw new UsageError(`${args.data} has no question that can be asked`);
  const kept = select(all, {
    ...(args.modality ? { modalities: args.modality } : {}),
    ...(args['question-type'] ? { questionTypes: args['question-type'] } : {}),
    ...(args.dataset ? { datasets: args.dataset } : {}),
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    seed: args.seed,
  });
  const questions = args['shuffle-options']
    ? kept.map((question, i) => shuffleOptions(question, new Random(args.seed, 'options', i)))
    : kept;
  return { questions, skipped: skipped.length };
}

function progressLine(): (progress: EvaluateProgress) => void {
  const start = performance.now();
  return ({ questions, total, tokens, correct }) => {
    const seconds = (performance.now() - start) / 1000;
    const left = Math.round((seconds / questions) * (total - questions));
    const line = `${questions} of ${counted(total, 'question')}, ${percent(correct / questions)} right, ${Math.round(tokens / seconds)} tokens/s, ${left} s left`;
    showProgress(line, questions === total);
  };
}

/** A summary for people. */
export function summaryText(summary: EvalSummary): string {
  const table = ({ head, rows }: ReturnType<typeof matrixTable>) => textTable(head, rows);
  const { lengths, tags, pass_at_k, majority_vote, time } = summary;
  const several = pass_at_k
    ? [
        Object.entries(pass_at_k)
          .map(([k, share]) => `pass@${k} ${percent(share)}`)
          .join(', '),
        `majority vote ${percent(majority_vote?.accuracy ?? 0)}`,
      ]
    : [];
  return [
    table(accuracyTable('modality', summary, summary.by_modality)),
    table(accuracyTable('question type', summary, summary.by_question_type)),
    table(matrixTable(summary)),
    ...scoresIn(summary).map((score) => table(matrixTable(summary, score))),
    [
      ...several,
      `tokens per answer: mean ${lengths.mean.toFixed(1)}, median ${lengths.median}, 95% below ${Math.ceil(lengths.p95)}`,
      `format as asked ${percent(tags.paper_format)}, no answer ${percent(tags.no_answer)}, cut off ${percent(tags.truncated)}`,
      `${counted(summary.questions, 'question')} in ${time.seconds.toFixed(1)} s, ${Math.round(time.tokens_per_second)} tokens/s`,
    ].join('\n'),
  ].join('\n\n');
}

/** The yargs command. */
export const evaluate: CommandModule<object, Args> = {
  command: 'eval',
  describe: 'Measure how well a model answers questions, with options or open',
  builder: (yargs) =>
    commonOptions(generationOptions(yargs))
      .option('data', {
        type: 'string',
        demandOption: true,
        describe: 'Questions: a file or folder that `osler data stats` reads',
      })
      .option('out', {
        type: 'string',
        describe: 'Folder for summary.json, predictions.jsonl and report.html, which shows each answer',
      })
      .option('style', {
        choices: ANSWER_STYLES,
        default: 'think' as const,
        describe: 'How to ask for the answer, in the words of Med-R1',
      })
      .option('phase', {
        choices: ['eval', 'train'] as const,
        default: 'eval' as const,
        describe: 'Whose words: those of the paper for evaluation, or those that training uses',
      })
      .option('template', { type: 'string', describe: 'A prompt of your own with {Question} in it' })
      .option('system', { type: 'string', describe: "System message; the chat template's own by default" })
      .option('paper-reading', {
        choices: ['tagged', 'raw', 'either'] as const,
        describe: "Which of the paper's scripts reads the answer; by default the style's",
      })
      .option('samples', { type: 'number', default: 1, describe: 'Answers per question' })
      .option('temperature', { type: 'number', default: 0, describe: '0 takes the most likely token' })
      .option('top-p', { type: 'number', default: 1, describe: '1 is off' })
      .option('top-k', { type: 'number', default: 0, describe: '0 is off' })
      .option('max-new-tokens', { type: 'number', default: 256, describe: 'Most tokens of an answer' })
      .option('seed', { type: 'number', default: 0, describe: 'Of sampling, --limit and --shuffle-options' })
      .option('modality', { array: true, type: 'string', describe: 'Only these modalities' })
      .option('question-type', { array: true, type: 'string', describe: 'Only these question types' })
      .option('dataset', { array: true, type: 'string', describe: 'Only these datasets' })
      .option('limit', { type: 'number', describe: 'At most so many questions, drawn at random' })
      .option('shuffle-options', {
        type: 'boolean',
        default: false,
        describe: 'Put the options in random order, so that a habit of naming one letter does not pay',
      })
      .option('strict', { type: 'boolean', default: false, describe: 'Stop at the first bad record' })
      .check(
        numbers({
          samples: COUNT,
          temperature: NOT_NEGATIVE,
          'top-p': SHARE,
          'top-k': COUNT_OR_NONE,
          'max-new-tokens': COUNT,
          seed: SEED,
          limit: COUNT,
        }),
        false,
      )
      .example(
        '$0 eval --model models/qwen2-vl-2b --data OmniMedVQA --out evals/base',
        'greedy answers to every question',
      )
      .example(
        '$0 eval --model models/qwen2-vl-2b --adapter runs/ct/checkpoints/step-000500 --data test.jsonl --samples 8 --temperature 1',
        'pass@k and majority vote of an adapter',
      ),
  handler: async (args) => {
    await ensureDriver();
    const { questions, skipped } = await questionsFor(args);
    // Now, not after an hour of answers.
    if (args.out !== undefined) await makeFolder(args.out);
    const session = await openSession(args);
    // Many questions are about the same picture.
    const features = new FeatureCache({ place: 'host', bytes: 2 ** 30 });
    session.model.features = features;
    try {
      if (!session.encoder) throw new UsageError(`${args.model} has no tokenizer.json, which questions need`);
      const evaluation = await evaluateModel(
        { generator: session.generator, encoder: session.encoder },
        questions,
        {
          style: args.style,
          phase: args.phase,
          ...(args.template === undefined ? {} : { template: args.template }),
          ...(args.system === undefined ? {} : { system: args.system }),
          ...(args['paper-reading'] === undefined ? {} : { paperReading: args['paper-reading'] }),
          temperature: args.temperature,
          topP: args['top-p'],
          topK: args['top-k'],
          samples: args.samples,
          maxNewTokens: args['max-new-tokens'],
          seed: args.seed,
          onProgress: progressLine(),
        },
      );
      const subject = {
        model: args.model,
        ...(args.adapter === undefined ? {} : { adapter: args.adapter }),
        data: args.data,
        skipped,
      };
      const summary = args.out
        ? await writeEvaluation(args.out, evaluation, subject)
        : summaryOf(evaluation, subject);
      if (args.out) await writeOwnReport(args.out);
      if (args.json) printJson(summary);
      else print(summaryText(summary));
    } finally {
      features.dispose();
      await session.close();
    }
  },
};
