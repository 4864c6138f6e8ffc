/**
 * The demo: a small Qwen2-VL that has learned from notes of mixed quality meets verifiable rewards.
 *
 * It is examined, improved by GRPO, and examined again, on new pictures of the modalities that were trained on, and on one that
 * was held out. A control goes on imitating the notes on the same pictures, for no less time.
 */
import { check, type Gpu } from '../gpu/index.js';
import { makeGrpoTask, parseGrpoConfig } from '../grpo/index.js';
import type { JsonObject } from '../models/core/json-fields.js';
import { initModel } from '../models/init/init.js';
import { atomicWrite, join, readWholeFile } from '../platform/files.js';
import { loadPageAssets } from '../report/assets.js';
import { writeReport } from '../report/write-report.js';
import { makeSftTask, parseSftConfig } from '../sft/index.js';
import { learnMerges } from '../text/index.js';
import { parseYamlFile } from '../train/config/index.js';
import type { StepEvent } from '../train/events.js';
import { launchTraining } from '../train/launch.js';
import type { Console } from '../train/progress.js';
import { drawDemoData, drawLessons } from './data.js';
import { examine, type Scores } from './exam.js';
import type { Wording } from './readers.js';

/** Options of {@link runDemo}. */
export interface DemoOptions {
  readonly gpu: Gpu;
  /** Folder of the recipes and the checkpoint. */
  readonly recipes: string;
  /** Folder for everything that the demo makes. */
  readonly out: string;
  readonly seed: number;
  /** Makes the checkpoint anew instead of taking the shipped one. */
  readonly full: boolean;
  /** Every part of it, but of each only a little: what it measures means nothing. */
  readonly short: boolean;
  readonly console: Console;
}

/** A line of the demo's table. */
export interface DemoRow extends Scores {
  readonly name: string;
  /** Time of the training steps. */
  readonly seconds: number;
}

/** What the demo found. */
export interface DemoResult {
  readonly rows: readonly [start: DemoRow, sft: DemoRow, grpo: DemoRow];
  readonly report: string;
}

/** Tokens that the tokenizer learns beside the bytes. */
const MERGES = 1200;

/** Runs the demo. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { gpu, recipes, out, seed } = options;
  const note = (line: string) => options.console.write(`${line}\n`);
  const stage = (line: string) => note(`\n${line}`);

  stage('Drawing the pictures');
  const wording = await wordingOf(join(recipes, 'grpo.yaml'));
  const data = await drawDemoData(join(out, 'data'), options, wording, note);
  const start = options.full ? await makeCheckpoint(options, wording, stage) : join(recipes, 'checkpoint');

  stage('Examining the start');
  const before = await examine(gpu, start, data, wording);

  stage('GRPO: rewards for right answers');
  const grpo = await trainStage(options, 'grpo.yaml', { model: start, data: data.train, out: 'grpo' });
  const afterGrpo = await examine(gpu, grpo.model, data, wording);

  stage('The control: SFT goes on imitating the notes, on the same pictures');
  const sft = await trainStage(options, 'sft.yaml', { model: start, data: data.notes, out: 'sft' });
  const afterSft = await examine(gpu, sft.model, data, wording);

  for (const [run, end] of [
    [grpo, afterGrpo],
    [sft, afterSft],
  ] as const) {
    await before.write(join(run.dir, 'eval', 'start'));
    await end.write(join(run.dir, 'eval', 'end'));
  }
  const written = await writeReport(grpo.dir, { assets: await loadPageAssets() });
  const rows = [
    row('start', before, 0),
    row('SFT continued', afterSft, sft.seconds),
    row('GRPO', afterGrpo, grpo.seconds),
  ] as const;
  await atomicWrite(join(out, 'summary.json'), `${JSON.stringify({ seed, rows }, null, 2)}\n`);
  return { rows, report: written.file };
}

function row(name: string, { trained, heldOut }: Scores, seconds: number): DemoRow {
  return { name, trained, heldOut, seconds };
}

/** A checkpoint, and how it was come by. */
interface Trained {
  readonly dir: string;
  readonly model: string;
  readonly seconds: number;
}

/** Runs a recipe from a model on data; whether it is SFT or GRPO is in its name. */
async function trainStage(
  options: DemoOptions,
  recipe: string,
  paths: { readonly model: string; readonly data: string; readonly out: string },
): Promise<Trained> {
  const file = join(options.recipes, recipe);
  const dir = join(options.out, paths.out);
  const set = [
    `model_name_or_path=${JSON.stringify(paths.model)}`,
    `train_dataset=${JSON.stringify(paths.data)}`,
    `output_dir=${JSON.stringify(dir)}`,
    'overwrite_output_dir=true',
    `seed=${options.seed}`,
    ...(options.short ? ['max_steps=2', 'per_device_train_batch_size=16'] : []),
  ];
  const source = { file, text: await readText(file), set };
  let seconds = 0;
  const common = {
    gpu: options.gpu,
    resume: false,
    console: options.console,
    listeners: [
      {
        onStep: ({ metrics }: StepEvent) => {
          seconds += metrics.step_time ?? 0;
        },
      },
    ],
  };
  const result = recipe.startsWith('grpo')
    ? await launchTraining({
        ...common,
        config: parseGrpoConfig(source),
        makeTask: (setting) => makeGrpoTask(setting, { folder: options.recipes }),
      })
    : await launchTraining({ ...common, config: parseSftConfig(source), makeTask: makeSftTask });
  check(result.checkpoint, 'value', () => `${file} saves no checkpoint; set save_strategy`);
  return { dir, model: result.checkpoint, seconds };
}

/**
 * The start, made as the shipped one was: a fresh model learns from careful notes, of the harder questions longest, then from
 * those of both readers.
 */
async function makeCheckpoint(
  options: DemoOptions,
  wording: Wording,
  stage: (line: string) => void,
): Promise<string> {
  const { recipes, out } = options;
  stage('Drawing the lessons');
  const note = (line: string) => options.console.write(`${line}\n`);
  const lessons = await drawLessons(join(out, 'data'), options, wording, note);
  const fresh = join(out, 'fresh');
  const arch = JSON.parse(await readText(join(recipes, 'model.json'))) as JsonObject;
  await initModel(fresh, { arch, merges: learnMerges(lessons.words, MERGES), seed: 1 });
  stage('SFT: learning to see and to reason');
  const taught = await trainStage(options, 'teach.yaml', {
    model: fresh,
    data: lessons.careful,
    out: 'teach',
  });
  stage('SFT: learning what takes longer');
  const focused = await trainStage(options, 'focus.yaml', {
    model: taught.model,
    data: lessons.focus,
    out: 'focus',
  });
  stage('SFT: learning from notes of mixed quality');
  const mixed = await trainStage(options, 'mix.yaml', {
    model: focused.model,
    data: lessons.mixed,
    out: 'mix',
  });
  return mixed.model;
}

/** How the recipe words its prompts. */
async function wordingOf(file: string): Promise<Wording> {
  const { prompt_template: template, system_prompt: system } = parseYamlFile(file, await readText(file));
  check(typeof template === 'string' && typeof system === 'string', 'value', () => {
    return `${file} needs prompt_template and system_prompt`;
  });
  return { template, system };
}

async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readWholeFile(file));
}
