/** Trains one model per domain from a recipe and evaluates each on everything, for `osler matrix`. */
import path from 'node:path';
import { loadDataset, type Question, questionsOf } from '../data/index.js';
import { evaluateModel } from '../eval/evaluate.js';
import { writeEvaluation } from '../eval/files.js';
import type { Domain } from '../eval/matrix.js';
import { inOrder } from '../eval/tables.js';
import { makeGrpoTask, parseGrpoConfig } from '../grpo/index.js';
import { folderReader, isFolder } from '../platform/files.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { makeSftTask, parseSftConfig } from '../sft/index.js';
import type { TrainingConfig } from '../train/config/index.js';
import { RunFolder } from '../train/run-folder.js';
import { environmentVariable, UsageError } from './common.js';
import { openSession } from './generation.js';
import { writeOwnReport } from './own-report.js';
import { tell } from './terminal.js';
import { configSource, runTraining, type TrainingArgs } from './training.js';

/** What `osler matrix --recipe` is told. */
export interface MatrixTraining {
  readonly domain: Domain;
  readonly recipe: string;
  readonly method: 'sft' | 'grpo';
  readonly test: string;
  readonly phase: 'train' | 'eval';
  readonly set: readonly string[];
  readonly only?: readonly string[];
  readonly out: string;
  readonly evaluation: string;
}

/** The parts of a config that an evaluation needs. */
type Recipe = TrainingConfig & {
  readonly answer_style: 'think' | 'no-think' | 'think-after' | 'zero-shot';
  readonly system_prompt: string | null;
  readonly prompt_template?: string | null;
  readonly max_completion_length?: number;
};

/** Trains and evaluates whatever is not there yet; the folders of the runs, as `NAME=DIR`, and of the untrained model. */
export async function trainMatrix(options: MatrixTraining): Promise<{ runs: string[]; base: string }> {
  await ensureDriver();
  const { questions } = questionsOf((await loadDataset(options.test)).samples);
  const domains = options.only ? [...options.only] : domainsOf(questions, options.domain);
  if (domains.length === 0) throw new UsageError(`${options.test} has no question with a ${options.domain}`);
  const base = path.join(options.out, 'base');
  const runs: string[] = [];
  for (const [i, domain] of domains.entries()) {
    const dir = path.join(options.out, 'runs', domain.toLowerCase().replace(/[^a-z0-9]+/g, '-'));
    const result = path.join(dir, 'eval', options.evaluation);
    const args = trainingArgs(options, dir, domain);
    const config = await parseRecipe(options, args);
    if (i === 0 && !(await isDone(base))) await evaluateInto(base, options, questions, config, null);
    if (!(await isDone(result))) {
      tell(`\n${i + 1} of ${domains.length}: training on ${domain}, in ${dir}`);
      await trainOne(options, args, config, dir);
      await evaluateInto(result, options, questions, config, await lastCheckpoint(dir));
      // Now that there is something to compare: training wrote it without.
      await writeOwnReport(dir);
    }
    runs.push(`${domain}=${result}`);
  }
  return { runs, base };
}

function domainsOf(questions: readonly Question[], domain: Domain): string[] {
  return inOrder([...new Set(questions.flatMap((question) => question[domain] ?? []))]);
}

function trainingArgs(
  { recipe, set, domain: kind }: MatrixTraining,
  dir: string,
  domain: string,
): TrainingArgs {
  const field = kind === 'modality' ? 'modalities' : 'question_types';
  const own = [`${field}=${JSON.stringify([domain])}`, `output_dir=${JSON.stringify(dir)}`];
  return { config: recipe, set: [...set, ...own], resume: false, check: false, json: false, verbose: false };
}

async function parseRecipe({ method }: MatrixTraining, args: TrainingArgs): Promise<Recipe> {
  const source = await configSource(args);
  return method === 'sft' ? parseSftConfig(source) : parseGrpoConfig(source);
}

/** Trains a domain, or goes on where an earlier attempt was interrupted. */
async function trainOne(
  { method }: MatrixTraining,
  args: TrainingArgs,
  config: Recipe,
  dir: string,
): Promise<void> {
  const last = (await isFolder(dir)) ? (await new RunFolder(dir).checkpoints()).at(-1) : undefined;
  // Nothing to go on from: no checkpoint, or one of a recipe with save_only_model.
  const resume =
    last !== undefined && (await isFolder(path.join(new RunFolder(dir).checkpoint(last), 'trainer-state')));
  const source = await configSource(args);
  const overwrite = resume ? {} : { overwrite_output_dir: true };
  const environment = { folder: path.dirname(args.config), environment: environmentVariable };
  const result =
    method === 'sft'
      ? await runTraining({ ...args, resume }, { ...parseSftConfig(source), ...overwrite }, makeSftTask)
      : await runTraining({ ...args, resume }, { ...parseGrpoConfig(source), ...overwrite }, (setting) =>
          makeGrpoTask(setting, environment),
        );
  if (result.outcome === 'stopped') {
    throw new Error(`training in ${config.output_dir} was stopped; the same command goes on from there`);
  }
}

async function isDone(dir: string): Promise<boolean> {
  return (await folderReader(dir)('summary.json')) !== undefined;
}

async function lastCheckpoint(dir: string): Promise<string> {
  const folder = new RunFolder(dir);
  const step = (await folder.checkpoints()).at(-1);
  if (step === undefined)
    throw new UsageError(`${dir} has no checkpoint to evaluate; set save_steps in the recipe`);
  return folder.checkpoint(step);
}

/** Evaluates a checkpoint on all questions; null is the untrained model. */
async function evaluateInto(
  out: string,
  options: MatrixTraining,
  questions: readonly Question[],
  config: Recipe,
  checkpoint: string | null,
): Promise<void> {
  const model = checkpoint === null || config.use_peft ? config.model_name_or_path : checkpoint;
  const adapter = checkpoint !== null && config.use_peft ? checkpoint : undefined;
  const session = await openSession({
    model,
    ...(adapter === undefined ? {} : { adapter }),
    ...(config.max_pixels === null ? {} : { maxPixels: config.max_pixels }),
    dtype: 'auto',
    kvDtype: 'f32',
    batch: 64,
  });
  try {
    if (!session.encoder) throw new UsageError(`${model} has no tokenizer.json, which questions need`);
    const evaluation = await evaluateModel(
      { generator: session.generator, encoder: session.encoder },
      questions,
      {
        style: config.answer_style,
        phase: options.phase,
        ...(config.prompt_template ? { template: config.prompt_template } : {}),
        ...(config.system_prompt === null ? {} : { system: config.system_prompt }),
        ...(config.max_completion_length ? { maxNewTokens: config.max_completion_length } : {}),
      },
    );
    await writeEvaluation(out, evaluation, {
      model,
      ...(adapter === undefined ? {} : { adapter }),
      data: options.test,
      skipped: 0,
    });
    await writeOwnReport(out);
  } finally {
    await session.close();
  }
}
