/** `osler data split`: training and test questions that share no picture. */

import path from 'node:path';
import type { CommandModule } from 'yargs';
import { type Leakage, leakage, type Question, splitByImage, withoutLeaked } from '../data/index.js';
import { counted } from '../formats/counted.js';
import { UsageError } from './common.js';
import {
  assertNew,
  type ReadArgs,
  readOptions,
  readQuestions,
  tellProblems,
  type WriteArgs,
  writeOptions,
  writeQuestions,
} from './data-common.js';
import { numbers } from './numbers.js';
import { percent } from './table.js';
import { print, printJson } from './terminal.js';

interface Args extends ReadArgs, WriteArgs {
  readonly path: string;
  readonly out?: string;
  readonly 'test-share': number;
  readonly 'paper-split'?: string;
  readonly 'drop-leaked': boolean;
}

const SIDES = ['train', 'test'] as const;

interface Sides {
  readonly train: Question[];
  readonly test: Question[];
}

async function sides(args: Args): Promise<{ sides: Sides; asGiven: Leakage; skipped: number }> {
  // Published splits lie in folders of their own and share the folder of the pictures.
  const root = args['paper-split'] === undefined ? undefined : path.dirname(args.path);
  const first = await readQuestions(args.path, args, root);
  tellProblems(first.problems);
  if (args['paper-split'] === undefined) {
    const split = splitByImage(first.questions, { testShare: args['test-share'], seed: args.seed });
    return { sides: split, asGiven: leakage(split.train, split.test), skipped: first.problems.length };
  }
  const second = await readQuestions(args['paper-split'], args, root);
  tellProblems(second.problems);
  const [train, test] = [first.questions, second.questions];
  const kept = args['drop-leaked'] ? withoutLeaked(train, test) : test;
  if (kept.length === 0)
    throw new UsageError(`every picture of ${args['paper-split']} is in ${args.path} as well`);
  return {
    sides: { train, test: kept },
    asGiven: leakage(train, test),
    skipped: first.problems.length + second.problems.length,
  };
}

/** The yargs command. */
export const dataSplit: CommandModule<object, Args> = {
  command: 'split <path>',
  describe: 'Divide questions into train.jsonl and test.jsonl with each picture on one side only',
  builder: (yargs) =>
    writeOptions(readOptions(yargs))
      .positional('path', { type: 'string', demandOption: true, describe: 'A file or folder with questions' })
      .option('out', {
        type: 'string',
        describe: 'Folder for train.jsonl and test.jsonl; without it only the report',
      })
      .option('test-share', {
        type: 'number',
        default: 0.2,
        describe: 'Share of the questions for the test side',
      })
      .check(numbers({ 'test-share': { above: 0, below: 1 } }), false)
      .option('paper-split', {
        type: 'string',
        describe: 'Keep a published split: <path> is its training part, this its test part',
      })
      .option('drop-leaked', {
        type: 'boolean',
        default: false,
        describe: 'With --paper-split: leave out test questions whose picture is in training',
      })
      .example('$0 data split data/phantom/questions.jsonl --test-share 0.2 --seed 1 --out data/phantom', '')
      .example(
        "$0 data split 'CT(Computed Tomography)_train.json' --paper-split 'CT(Computed Tomography)_test.json'",
        "how much of Med-R1's test set is in its training set",
      ),
  handler: async (args) => {
    if (args['drop-leaked'] && args['paper-split'] === undefined) {
      throw new UsageError('--drop-leaked is for --paper-split; other splits have no leaks');
    }
    const file = (side: keyof Sides) => path.join(args.out ?? '', `${side}.jsonl`);
    if (args.out !== undefined) await assertNew(SIDES.map(file), args.overwrite);
    const { sides: split, asGiven, skipped } = await sides(args);
    if (args.out !== undefined) {
      for (const side of SIDES) await writeQuestions(file(side), split[side], args['copy-images']);
    }
    const report = {
      train: split.train.length,
      test: split.test.length,
      skipped,
      leakage: asGiven,
      ...(args.out === undefined ? {} : { out: args.out }),
    };
    if (args.json) {
      printJson(report);
      return;
    }
    print(
      [
        `${counted(report.train, 'question')} to train on, ${report.test} to test on${args.out === undefined ? '' : `, in ${args.out}`}`,
        asGiven.questions === 0
          ? 'no picture is on both sides'
          : `${counted(asGiven.questions, 'test question')} (${percent(asGiven.share)}) about ${counted(asGiven.images, 'picture')} of the training side${args['drop-leaked'] ? ', left out' : ''}`,
      ].join('\n'),
    );
  },
};
