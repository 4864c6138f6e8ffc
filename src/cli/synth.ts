/** `osler synth`: reasoning for questions by rejection sampling. */

import type { Argv, CommandModule } from 'yargs';
import { loadDataset, type Question, questionsOf, select } from '../data/index.js';
import { counted, leftOut } from '../formats/counted.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { isProtected } from '../platform/protected.js';
import {
  type CandidateSource,
  DEFAULT_CONSTRAINTS,
  EndpointSource,
  type JudgeSettings,
  LocalSource,
  type SynthProgress,
  type SynthSummary,
  synthesize,
} from '../synth/index.js';
import { DEFAULT_TEMPLATE } from '../synth/settings.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { type GenerationArgs, generationOptions, openSession } from './generation.js';
import { COUNT, COUNT_OR_NONE, NOT_NEGATIVE, numbers, SEED, SHARE } from './numbers.js';
import { onStopSignal } from './signals.js';
import { percent, textTable } from './table.js';
import { print, printJson, showProgress, tell } from './terminal.js';

interface Args extends CommonArgs, GenerationArgs {
  readonly data: string;
  readonly out: string;
  readonly samples: number;
  readonly temperature: number;
  readonly topP: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly template: string;
  readonly system?: string;
  readonly modality?: string[];
  readonly questionType?: string[];
  readonly limit?: number;
  readonly strict: boolean;
  readonly endpoint?: string;
  readonly apiKeyEnv: string;
  readonly concurrency: number;
  readonly requestsPerMinute: number;
  readonly timeout: number;
  readonly retries: number;
  readonly keep: number;
  readonly minSteps: number;
  readonly minWords: number;
  readonly maxWords: number;
  readonly duplicateThreshold: number;
  readonly minPassRate: number;
  readonly maxPassRate: number;
}

const { minSteps, minWords, maxWords } = DEFAULT_CONSTRAINTS;

/** The yargs command. */
export const synth: CommandModule<object, Args> = {
  command: 'synth',
  describe:
    'Make reasoning for questions: several candidates each, accepted only where answer and logic hold',
  builder: (yargs) =>
    commonOptions(acceptance(candidates(generationOptions(yargs))))
      .check(
        numbers({
          samples: COUNT,
          temperature: NOT_NEGATIVE,
          'top-p': SHARE,
          'max-new-tokens': COUNT,
          seed: SEED,
          limit: COUNT,
          concurrency: COUNT,
          'requests-per-minute': NOT_NEGATIVE,
          timeout: NOT_NEGATIVE,
          retries: COUNT_OR_NONE,
          keep: COUNT,
          'min-steps': NOT_NEGATIVE,
          'min-words': NOT_NEGATIVE,
          'max-words': NOT_NEGATIVE,
          'duplicate-threshold': SHARE,
          'min-pass-rate': SHARE,
          'max-pass-rate': SHARE,
        }),
        false,
      )
      .example('$0 synth --model qwen2-vl-7b --data train.jsonl --out reasoned', 'a model on this machine')
      .example(
        '$0 synth --endpoint http://127.0.0.1:8000/v1 --model qwen --data train.jsonl --out reasoned --max-pass-rate 0.9',
        'an endpoint, and no questions that are too easy',
      )
      .epilogue(
        'OUT/train.jsonl is ready for osler sft. The same command goes on where it was interrupted, and judges anew with ' +
          'other bounds without making candidates again.',
      ) as unknown as Argv<Args>,
  handler: async (args) => {
    check(args);
    const questions = await questionsFor(args);
    const stop = new AbortController();
    const signals = onStopSignal(() => stop.abort(new Error('stopped; the same command goes on from here')));
    const { source, close } = await openSource(args);
    try {
      const summary = await synthesize({
        questions,
        source,
        samples: args.samples,
        judge: judgeSettings(args),
        out: args.out,
        data: args.data,
        signal: stop.signal,
        onProgress: progressLine(),
      });
      if (args.json) printJson(summary);
      else print(summaryText(summary, args.out));
      if (summary.failed > 0) process.exitCode = 1;
    } finally {
      signals.release();
      await close();
    }
  },
};

function candidates<T>(yargs: Argv<T>) {
  return yargs
    .option('data', { type: 'string', demandOption: true, describe: 'Questions: a file or a folder' })
    .option('out', { type: 'string', demandOption: true, describe: 'Folder for what comes of it' })
    .option('samples', { type: 'number', default: 8, describe: 'Candidates per question' })
    .option('temperature', { type: 'number', default: 1, describe: 'Of the sampling' })
    .option('top-p', {
      type: 'number',
      default: 1,
      describe: 'Only the most likely tokens of this probability',
    })
    .option('max-new-tokens', { type: 'number', default: 1024, describe: 'Most tokens of a candidate' })
    .option('seed', { type: 'number', default: 0, describe: 'Equal seeds give equal candidates' })
    .option('template', {
      type: 'string',
      default: DEFAULT_TEMPLATE,
      describe: 'What is asked, with {Question} in it',
    })
    .option('system', { type: 'string', describe: "System message; the chat template's own by default" })
    .option('modality', { type: 'string', array: true, describe: 'Only these modalities' })
    .option('question-type', { type: 'string', array: true, describe: 'Only these question types' })
    .option('limit', { type: 'number', describe: 'Only so many questions, drawn with the seed' })
    .option('strict', { type: 'boolean', default: false, describe: 'A bad record ends the command' })
    .option('endpoint', {
      type: 'string',
      describe: 'OpenAI-compatible address up to /v1; --model is then the name of its model',
    })
    .option('api-key-env', {
      type: 'string',
      default: 'OPENAI_API_KEY',
      describe: 'Environment variable with the key of the endpoint',
    })
    .option('concurrency', { type: 'number', default: 8, describe: 'Requests to the endpoint at a time' })
    .option('requests-per-minute', { type: 'number', default: 0, describe: '0 for no limit' })
    .option('timeout', { type: 'number', default: 120, describe: 'Seconds that an answer may take' })
    .option('retries', { type: 'number', default: 6, describe: 'Times that a failed request is repeated' });
}

function acceptance<T>(yargs: Argv<T>) {
  return yargs
    .option('keep', { type: 'number', default: 1, describe: 'Most traces that are accepted of a question' })
    .option('min-steps', { type: 'number', default: minSteps, describe: 'Fewest sentences of reasoning' })
    .option('min-words', { type: 'number', default: minWords, describe: 'Fewest words of reasoning' })
    .option('max-words', { type: 'number', default: maxWords, describe: 'Most words of reasoning' })
    .option('duplicate-threshold', {
      type: 'number',
      default: 0.8,
      describe: 'Similarity from which a trace is a duplicate of an accepted one',
    })
    .option('min-pass-rate', { type: 'number', default: 0, describe: 'Leaves out questions that are harder' })
    .option('max-pass-rate', {
      type: 'number',
      default: 1,
      describe: 'Leaves out questions that are easier',
    });
}

function check(args: Args): void {
  if (args.minPassRate > args.maxPassRate) {
    throw new UsageError(`--min-pass-rate ${args.minPassRate} is above --max-pass-rate ${args.maxPassRate}`);
  }
  if (!args.template.includes('{Question}')) throw new UsageError('--template has no {Question} in it');
  if (args.endpoint !== undefined && !(/^https?:/i.test(args.endpoint) && URL.canParse(args.endpoint))) {
    throw new UsageError(
      `--endpoint ${args.endpoint} is not an http address, such as http://127.0.0.1:8000/v1`,
    );
  }
}

function judgeSettings(args: Args): JudgeSettings {
  const { keep, duplicateThreshold, minPassRate, maxPassRate } = args;
  const { minSteps, minWords, maxWords } = args;
  return { keep, duplicateThreshold, minPassRate, maxPassRate, minSteps, minWords, maxWords };
}

async function questionsFor(args: Args): Promise<Question[]> {
  const dataset = await loadDataset(args.data, { strict: args.strict });
  const { questions, problems } = questionsOf(dataset.samples);
  const [bad] = problems;
  if (bad && args.strict) throw bad;
  const skipped = [...dataset.problems, ...problems];
  if (skipped[0]) tell(`${leftOut(skipped.length, 'record')}, such as ${skipped[0].message}`);
  if (questions.length === 0) throw new UsageError(`${args.data} has no question that can be asked`);
  return select(questions, {
    ...(args.modality ? { modalities: args.modality } : {}),
    ...(args.questionType ? { questionTypes: args.questionType } : {}),
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    seed: args.seed,
  });
}

async function openSource(args: Args): Promise<{ source: CandidateSource; close(): Promise<void> }> {
  const { endpoint, model, adapter } = args;
  if (endpoint !== undefined) {
    const apiKey = process.env[args.apiKeyEnv];
    if (apiKey && !isProtected(endpoint)) {
      throw new UsageError(
        `the key in ${args.apiKeyEnv} is not sent to ${endpoint}, where all on the way could read it; give --endpoint an ` +
          'https address or a tunnel on 127.0.0.1, or --api-key-env the name of no variable',
      );
    }
    const source = new EndpointSource({
      ...args,
      baseUrl: endpoint,
      timeout: args.timeout * 1000,
      ...(apiKey ? { apiKey } : {}),
    });
    return { source, close: async () => {} };
  }
  await ensureDriver();
  const session = await openSession(args);
  if (session.encoder === null) {
    await session.close();
    throw new UsageError(`${model} has no tokenizer.json, which questions need`);
  }
  const { generator, encoder } = session;
  const source = new LocalSource({ ...args, generator, encoder, model, ...(adapter ? { adapter } : {}) });
  return { source, close: () => session.close() };
}

function progressLine(): (progress: SynthProgress) => void {
  const start = performance.now();
  let shown = start;
  let before: number | undefined;
  return ({ done, total, failed }) => {
    before ??= done - 1;
    const now = performance.now();
    const last = done + failed >= total;
    if (!last && now - shown < (process.stderr.isTTY ? 200 : 10_000)) return;
    shown = now;
    const rate = (done - before) / ((now - start) / 1000);
    const left = Math.round((total - done) / rate);
    const line = `${done} of ${total} candidates, ${rate.toFixed(1)}/s, ${left} s left${failed > 0 ? `, ${failed} failed` : ''}`;
    showProgress(line, last);
  };
}

function summaryText(summary: SynthSummary, out: string): string {
  const { questions, candidates, accepted, accepted_questions, rejected, failed, failures } = summary;
  const rows = [
    ['accepted', accepted] as const,
    ...Object.entries(rejected).sort(([, a], [, b]) => b - a),
  ].map(([name, n]) => [name.replaceAll('_', ' '), String(n), percent(n / Math.max(1, candidates))]);
  const rates = Object.entries(summary.pass_rates).map(([bin, n]) => `${bin}: ${n}`);
  return [
    textTable(['candidates', String(candidates), ''], rows),
    '',
    `pass rates of questions   ${rates.join(', ')}`,
    `${counted(accepted, 'trace')} of ${accepted_questions} of ${counted(questions, 'question')}: ${out}/train.jsonl`,
    ...(failed > 0
      ? [`${failed} candidates could not be had; the same command tries them again. ${failures[0]}`]
      : []),
  ].join('\n');
}
