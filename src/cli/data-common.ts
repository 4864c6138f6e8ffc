/** What the `osler data` commands share: reading with filters, and writing with pictures. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Argv } from 'yargs';
import {
  type DataError,
  imageFile,
  loadDataset,
  MMMU_MEDICAL,
  type Question,
  questionLine,
  questionsOf,
  questionsToParquet,
  SCHEMAS,
  type Schema,
  select,
} from '../data/index.js';
import { leftOut } from '../formats/counted.js';
import { FileError } from '../platform/errors.js';
import { atomicWrite, copyInto, isWithin, makeFolder } from '../platform/files.js';
import { imageFormat } from '../vision/index.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { COUNT, numbers, SEED } from './numbers.js';
import { tell } from './terminal.js';

/** Options of commands that read questions. */
export interface ReadArgs extends CommonArgs {
  readonly schema?: Schema;
  readonly 'image-root'?: string;
  readonly strict: boolean;
  readonly modality?: string[];
  readonly 'question-type'?: string[];
  readonly dataset?: string[];
  readonly medical: boolean;
  readonly limit?: number;
  readonly seed: number;
}

/** Adds them. */
export function readOptions<T>(yargs: Argv<T>): Argv<T & ReadArgs> {
  const options = commonOptions(yargs)
    .option('schema', {
      choices: SCHEMAS,
      describe: 'Format of the records; by default their fields show it',
    })
    .option('image-root', { type: 'string', describe: 'Folder that image paths are relative to' })
    .option('strict', { type: 'boolean', default: false, describe: 'Stop at the first bad record' })
    .option('modality', { array: true, type: 'string', describe: 'Only these modalities' })
    .option('question-type', { array: true, type: 'string', describe: 'Only these question types' })
    .option('dataset', { array: true, type: 'string', describe: 'Only these datasets' })
    .option('medical', {
      type: 'boolean',
      default: false,
      describe: 'Of MMMU and MMMU-Pro only the five medical subjects',
    })
    .option('limit', { type: 'number', describe: 'At most so many, drawn at random' })
    .option('seed', { type: 'number', default: 0, describe: 'Seed of everything that is random' })
    .check(numbers({ limit: COUNT, seed: SEED }), false);
  return options as unknown as Argv<T & ReadArgs>;
}

/** Options of commands that write questions. */
export interface WriteArgs {
  readonly 'copy-images': boolean;
  readonly overwrite: boolean;
}

/** Questions that were read, and the records that gave none. */
export interface ReadQuestions {
  readonly questions: Question[];
  readonly problems: readonly DataError[];
}

/** Reads the questions of a file or folder and filters them. */
export async function readQuestions(
  file: string,
  args: ReadArgs,
  imageRoot?: string,
): Promise<ReadQuestions> {
  const root = args['image-root'] ?? imageRoot;
  const dataset = await loadDataset(file, {
    strict: args.strict,
    ...(args.schema === undefined ? {} : { schema: args.schema }),
    ...(root === undefined ? {} : { imageRoot: root }),
  });
  const { questions, problems } = questionsOf(dataset.samples);
  if (args.strict && problems[0]) throw problems[0];
  if (questions.length === 0) throw problems[0] ?? new UsageError(`${file} has no questions`);
  const medical = args.medical
    ? questions.filter(({ dataset: name }) => (MMMU_MEDICAL as readonly string[]).includes(name ?? ''))
    : questions;
  if (medical.length === 0) throw new UsageError(`${file} has no question of MMMU's medical subjects`);
  const kept = select(medical, {
    ...(args.modality ? { modalities: args.modality } : {}),
    ...(args['question-type'] ? { questionTypes: args['question-type'] } : {}),
    ...(args.dataset ? { datasets: args.dataset } : {}),
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    seed: args.seed,
  });
  return { questions: kept, problems: [...dataset.problems, ...problems] };
}

/** Says on the terminal how many records were left out, and shows the first few. */
export function tellProblems(problems: readonly DataError[]): void {
  if (problems.length === 0) return;
  tell(`${leftOut(problems.length, 'record')}:`);
  for (const { message } of problems.slice(0, 5)) tell(`  ${message}`);
  if (problems.length > 5) tell(`  and ${problems.length - 5} more; --json lists them all`);
}

/** Adds what commands that write questions share. */
export function writeOptions<T>(yargs: Argv<T>): Argv<T & WriteArgs> {
  const options = yargs
    .option('copy-images', {
      type: 'boolean',
      default: false,
      describe: 'Copy the pictures to the folder that is written to; else it must be above them',
    })
    .option('overwrite', { type: 'boolean', default: false, describe: 'Replace files that are there' });
  return options as unknown as Argv<T & WriteArgs>;
}

/** Refuses to write over what is there: a split or a dataset may be the only one of its kind. */
export async function assertNew(files: readonly string[], overwrite: boolean): Promise<void> {
  if (overwrite) return;
  for (const file of files) {
    const there = await stat(file).catch(() => undefined);
    if (there) throw new UsageError(`${file} is there already; choose another --out, or pass --overwrite`);
  }
}

/**
 * Writes questions as JSONL or Parquet, by the file's name. Image paths become relative to the file's folder: pictures that
 * came inside of the data are written to `images/` there, others are copied with `copyImages`, else referred to.
 */
export async function writeQuestions(
  file: string,
  questions: readonly Question[],
  copyImages: boolean,
): Promise<void> {
  const folder = path.dirname(file);
  await makeFolder(folder);
  const moved: Question[] = [];
  const done = new Set<string>();
  for (const question of questions) moved.push(await withImagesIn(folder, question, copyImages, done));
  if (/\.parquet$/i.test(file)) await atomicWrite(file, new Uint8Array(await questionsToParquet(moved)));
  else await atomicWrite(file, moved.map((question) => `${questionLine(question)}\n`).join(''));
}

async function withImagesIn(
  folder: string,
  question: Question,
  copyImages: boolean,
  done: Set<string>,
): Promise<Question> {
  const images: string[] = [];
  for (const [i, image] of question.images.entries()) {
    if (typeof image !== 'string') {
      const name = `${question.id.replace(/[^A-Za-z0-9._-]/g, '_')}-${i}.${imageFormat(image.bytes) ?? 'bin'}`;
      await makeFolder(path.join(folder, 'images'));
      await atomicWrite(path.join(folder, 'images', name), image.bytes);
      images.push(`images/${name}`);
      continue;
    }
    const from = imageFile(question, image) as string;
    if (copyImages) {
      if (!done.has(image)) await copyPicture(question, from, path.join(folder, image));
      done.add(image);
      images.push(image);
      continue;
    }
    const relative = path.relative(folder, from).split(path.sep).join('/');
    if (relative.startsWith('../') || path.isAbsolute(relative)) {
      throw new UsageError(
        `${from} is not below ${folder}, where the new file goes; write it to the pictures' folder, or pass --copy-images`,
      );
    }
    images.push(relative);
  }
  const { source: _source, ...rest } = question;
  return { ...rest, images };
}

/** What a dataset names is its author's word: a link in its folder must not bring in files from elsewhere. */
async function copyPicture({ id, source }: Question, from: string, to: string): Promise<void> {
  const root = source?.root || '.';
  const there = await stat(from).catch(() => undefined);
  if (there && !(await isWithin(from, root))) {
    throw new UsageError(
      `${from}, a picture of question ${id}, is a link that leads out of ${root}; put the file there`,
    );
  }
  try {
    await copyInto(from, to);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new UsageError(`a picture of question ${id}: ${error.message}`);
  }
}
