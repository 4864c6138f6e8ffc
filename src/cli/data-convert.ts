/** `osler data convert`: questions of any format as JSONL or Parquet. */

import type { CommandModule } from 'yargs';
import { Random, shuffleOptions } from '../data/index.js';
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
import { print, printJson } from './terminal.js';

interface Args extends ReadArgs, WriteArgs {
  readonly path: string;
  readonly out: string;
  readonly 'shuffle-options': boolean;
}

/** The yargs command. */
export const dataConvert: CommandModule<object, Args> = {
  command: 'convert <path>',
  describe:
    'Write questions as JSONL or Parquet, filtered, with options shuffled if wanted; all other fields are kept',
  builder: (yargs) =>
    writeOptions(readOptions(yargs))
      .positional('path', { type: 'string', demandOption: true, describe: 'A file or folder with questions' })
      .option('out', { type: 'string', demandOption: true, describe: 'A .jsonl or .parquet file' })
      .option('shuffle-options', {
        type: 'boolean',
        default: false,
        describe: 'Put options in random order, so that no letter is favoured',
      })
      .example('$0 data convert OmniMedVQA --out OmniMedVQA/all.jsonl', 'one file, pictures where they are')
      .example(
        '$0 data convert MMMU_Pro.parquet --medical --out mmmu/med.jsonl',
        'pictures go to mmmu/images',
      )
      .example('$0 data convert all.jsonl --modality CT --limit 500 --out ct.parquet', 'a random part'),
  handler: async (args) => {
    if (!/\.(jsonl|parquet)$/i.test(args.out)) {
      throw new UsageError(`--out ${args.out} must end in .jsonl or .parquet`);
    }
    await assertNew([args.out], args.overwrite);
    const { questions, problems } = await readQuestions(args.path, args);
    const written = args['shuffle-options']
      ? questions.map((question, i) => shuffleOptions(question, new Random(args.seed, 'options', i)))
      : questions;
    await writeQuestions(args.out, written, args['copy-images']);
    if (args.json) {
      const messages = problems.map(({ message }) => message);
      printJson({ out: args.out, questions: written.length, problems: messages });
      return;
    }
    print(`${args.out}: ${counted(written.length, 'question')}`);
    tellProblems(problems);
  },
};
