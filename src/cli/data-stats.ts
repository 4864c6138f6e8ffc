/** `osler data stats`: what a dataset holds, and what guessing would score on it. */
import type { CommandModule } from 'yargs';
import {
  type DatasetStats,
  datasetStats,
  identifyingFields,
  imageFile,
  type Question,
  type QuestionStats,
} from '../data/index.js';
import { inOrder } from '../eval/tables.js';
import { counted } from '../formats/counted.js';
import { filePicture, pictureSize } from '../vision/index.js';
import { type ReadArgs, readOptions, readQuestions, tellProblems } from './data-common.js';
import { percent, textTable } from './table.js';
import { print, printJson, tell } from './terminal.js';

interface Args extends ReadArgs {
  readonly path: string;
  readonly 'check-images': boolean;
}

const HEAD = ['questions', 'images', 'random', 'majority', 'answer'];

function row(name: string, stats: QuestionStats): string[] {
  const { questions, images, random, majority, majorityLetter } = stats;
  const shown = majorityLetter.length > 20 ? `${majorityLetter.slice(0, 19)}…` : majorityLetter;
  return [name, String(questions), String(images), percent(random), percent(majority), shown];
}

function table(title: string, groups: Readonly<Record<string, QuestionStats>>, all: QuestionStats): string {
  const rows = inOrder(Object.keys(groups)).map((name) => row(name, groups[name] as QuestionStats));
  return textTable([title, ...HEAD], [...rows, row('all', all)]);
}

function cellTable(stats: DatasetStats): string {
  const types = inOrder(Object.keys(stats.byType));
  const rows = inOrder(Object.keys(stats.cells)).map((modality) => [
    modality,
    ...types.map((type) => String(stats.cells[modality]?.[type] ?? '')),
  ]);
  return textTable(['questions', ...types], rows);
}

/** Pictures that are missing or cannot be read, with the reason. */
async function badImages(questions: readonly Question[]): Promise<string[]> {
  const files = new Set(
    questions.flatMap((question) => question.images.flatMap((image) => imageFile(question, image) ?? [])),
  );
  const bad: string[] = [];
  for (const file of files) {
    try {
      await pictureSize(filePicture(file));
    } catch (error) {
      bad.push((error as Error).message);
    }
  }
  return bad;
}

/** Says on the terminal which fields may tell who patients are. */
function tellIdentifying(fields: Readonly<Record<string, number>>): void {
  const found = Object.entries(fields).map(([name, records]) => `${name} (${counted(records, 'record')})`);
  if (found.length === 0) return;
  tell(
    `warning: these fields may say who patients are: ${found.join(', ')}; Osler copies the fields of records as they are, ` +
      'take out what should not go further',
  );
}

/** The yargs command. */
export const dataStats: CommandModule<object, Args> = {
  command: 'stats <path>',
  describe: 'Count questions and pictures by modality, type and dataset, with the baselines of guessing',
  builder: (yargs) =>
    readOptions(yargs)
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'A JSONL, JSON, TSV, CSV or Parquet file, or a folder such as OmniMedVQA',
      })
      .option('check-images', {
        type: 'boolean',
        default: false,
        describe: 'Open every picture and tell which are missing or broken',
      })
      .example('$0 data stats OmniMedVQA', 'the dataset as published')
      .example('$0 data stats train.jsonl --modality CT --check-images', 'one modality, with its pictures'),
  handler: async (args) => {
    const { questions, problems } = await readQuestions(args.path, args);
    const stats = datasetStats(questions);
    const identifying = identifyingFields(questions);
    const bad = args['check-images'] ? await badImages(questions) : undefined;
    if (args.json) {
      printJson({
        ...stats,
        ...(bad ? { badImages: bad } : {}),
        identifying,
        problems: problems.map(({ message }) => message),
      });
    } else {
      const options = Object.entries(stats.optionCounts).map(([n, count]) => `${count} with ${n}`);
      const kinds = Object.entries(stats.answerKinds).map(([kind, count]) => `${count} ${kind}`);
      const text = [
        table('modality', stats.byModality, stats),
        table('question type', stats.byType, stats),
        table('dataset', stats.byDataset, stats),
        cellTable(stats),
        [
          `questions by number of options: ${options.join(', ')}`,
          `questions by kind of answer: ${kinds.join(', ')}`,
          `with reference reasoning: ${stats.withReasoning}`,
          ...(bad ? [`pictures that cannot be used: ${bad.length}`, ...bad.slice(0, 10)] : []),
        ].join('\n'),
      ];
      print(text.join('\n\n'));
      tellProblems(problems);
      tellIdentifying(identifying);
    }
    if (bad && bad.length > 0) process.exitCode = 1;
  },
};
