/** `osler phantom`: a drawn dataset with known answers, for tests, demos and first steps. */

import { readdir } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { MODALITIES, type Modality, QUESTION_TYPES, type QuestionType } from '../data/modalities.js';
import { counted } from '../formats/counted.js';
import type { Wording } from '../phantom/ask.js';
import { DIFFICULTIES, type Difficulty, PHANTOM_ANSWERS, type PhantomAnswers } from '../phantom/phantom.js';
import { writePhantom } from '../phantom/write.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { COUNT, numbers, SEED } from './numbers.js';
import { clearProgress, print, printJson, showProgress } from './terminal.js';

interface Args extends CommonArgs {
  readonly out: string;
  readonly n: number;
  readonly seed: number;
  readonly size: number;
  readonly difficulty: Difficulty;
  readonly wording: Wording;
  readonly answers: PhantomAnswers;
  readonly modality?: Modality[];
  readonly 'question-type'?: QuestionType[];
  readonly overwrite: boolean;
}

/** A folder with something else in it is not ours to fill. */
async function assertFree(dir: string): Promise<void> {
  const entries = await readdir(dir).catch(() => []);
  if (entries.length > 0)
    throw new UsageError(`${dir} is not empty; choose another --out, or pass --overwrite`);
}

/** The yargs command. */
export const phantom: CommandModule<object, Args> = {
  command: 'phantom',
  describe:
    'Draw a dataset of medical-looking pictures with questions whose answers are known (not clinical data)',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('out', { type: 'string', demandOption: true, describe: 'Folder to write' })
      .option('n', { type: 'number', demandOption: true, describe: 'Number of questions, one picture each' })
      .option('seed', { type: 'number', default: 0, describe: 'Equal seeds give equal files' })
      .option('size', { type: 'number', default: 336, describe: 'Side of the pictures in pixels' })
      .option('difficulty', {
        choices: DIFFICULTIES,
        default: 'medium' as const,
        describe: 'How plain lesions are against noise',
      })
      .option('wording', {
        choices: ['full', 'short'] as const,
        default: 'full' as const,
        describe:
          'full: several wordings, reasoning in steps; short: one wording and sentence, for tiny models',
      })
      .option('answers', {
        choices: PHANTOM_ANSWERS,
        default: 'choice' as const,
        describe: 'choice: with options; open: to name, to measure (a number) and to locate (boxes)',
      })
      .option('modality', { array: true, choices: MODALITIES, describe: 'Only these; all eight by default' })
      .option('question-type', {
        array: true,
        choices: QUESTION_TYPES,
        describe: 'Only these; all five by default',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Write into a folder with files' })
      .check(numbers({ n: COUNT, seed: SEED, size: { whole: true, min: 28 } }), false)
      .example('$0 phantom --out data/phantom --n 1000 --seed 1', 'all modalities and question types in turn')
      .example(
        '$0 phantom --out data/ct --n 200 --modality CT MRI --size 84 --wording short --difficulty easy',
        'small, plain pictures for a small model',
      ),
  handler: async (args) => {
    if (!args.overwrite) await assertFree(args.out);
    const start = performance.now();
    let shown = start;
    const questions = await writePhantom(
      args.out,
      {
        n: args.n,
        seed: args.seed,
        size: args.size,
        difficulty: args.difficulty,
        wording: args.wording,
        answers: args.answers,
        ...(args.modality ? { modalities: args.modality } : {}),
        ...(args['question-type'] ? { questionTypes: args['question-type'] } : {}),
      },
      ({ done, n }) => {
        const now = performance.now();
        if (now - shown < (process.stderr.isTTY ? 200 : 10_000)) return;
        shown = now;
        const left = Math.round(((now - start) / 1000 / done) * (n - done));
        const line = `${done} of ${n} pictures, ${left} s left`;
        showProgress(line);
      },
    );
    clearProgress();
    const seconds = (performance.now() - start) / 1000;
    if (args.json)
      printJson({ out: args.out, questions: questions.length, seed: args.seed, size: args.size });
    else
      print(`${args.out}: ${counted(questions.length, 'question')} with pictures in ${seconds.toFixed(1)} s`);
  },
};
