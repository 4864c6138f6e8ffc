/** `osler matrix`: how training on one domain carries over to the others. */
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { readSummary } from '../eval/files.js';
import { heatMapPage, heatMapSvg, matrixMarkdown } from '../eval/heat-map.js';
import {
  type Domain,
  generalizationMatrix,
  MATRIX_READINGS,
  type Matrix,
  type MatrixReading,
  type MatrixRow,
} from '../eval/matrix.js';
import type { EvalSummary } from '../eval/summary.js';
import { isFolder, readWholeFile, writeTextFiles } from '../platform/files.js';
import { parseYamlFile } from '../train/config/index.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { trainMatrix } from './matrix-training.js';
import { textTable } from './table.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly runs: string[];
  readonly domain: Domain;
  readonly reading: MatrixReading;
  readonly evaluation: string;
  readonly base?: string;
  readonly out: string;
  readonly recipe?: string;
  readonly method: 'sft' | 'grpo';
  readonly test?: string;
  readonly phase: 'train' | 'eval';
  readonly set: string[];
  readonly only?: string[];
}

/** `NAME=DIR` names the domain of an evaluation; a run's folder has it in its config. */
async function readRow(given: string, { domain, evaluation }: Args): Promise<MatrixRow> {
  const named = /^([^=/\\]+)=(.+)$/.exec(given);
  if (named) return { trained: named[1] as string, summary: await readSummary(named[2] as string) };
  const config = path.join(given, 'config.yaml');
  const field = domain === 'modality' ? 'modalities' : 'question_types';
  const trained = parseYamlFile(config, new TextDecoder().decode(await readWholeFile(config)))[field];
  if (!Array.isArray(trained) || trained.length !== 1 || typeof trained[0] !== 'string') {
    throw new UsageError(
      `${config} has not one entry under ${field}; name what it was trained on: CT=${given}/eval/end`,
    );
  }
  return { trained: trained[0], summary: await readSummary(path.join(given, 'eval', evaluation)) };
}

async function readBase(base: string | undefined): Promise<EvalSummary | undefined> {
  return base === undefined ? undefined : readSummary(base);
}

function render(matrix: Matrix): string {
  const show = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : (100 * value).toFixed(1);
  const rows = matrix.rows.map((name, i) => [
    name,
    ...(matrix.values[i] ?? []).map(show),
    show(matrix.generalization[i]),
  ]);
  if (matrix.base) rows.push(['untrained', ...matrix.base.map(show), '']);
  return [
    textTable(['trained on', ...matrix.columns, 'others'], rows),
    `mean in domain ${show(matrix.in_domain) || 'n/a'}, across domains ${show(matrix.cross_domain) || 'n/a'}`,
  ].join('\n');
}

/** The yargs command. */
export const matrix: CommandModule<object, Args> = {
  command: 'matrix [runs..]',
  describe: 'Cross-modality or cross-task matrix: trained on one domain, tested on all, with a heat map',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('runs', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'Folders of runs with one modality (or question type) each, or NAME=DIR of an evaluation',
      })
      .option('domain', {
        choices: ['modality', 'question_type'] as const,
        default: 'modality' as const,
        describe: 'What rows and columns are: 8x8 of modalities or 5x5 of question types in the paper',
      })
      .option('reading', {
        choices: MATRIX_READINGS,
        default: 'robust' as const,
        describe: 'Which reading of the answers counts, or which score of open answers',
      })
      .option('evaluation', {
        type: 'string',
        default: 'end',
        describe: 'Name of the evaluation in RUN/eval/ to take',
      })
      .option('base', { type: 'string', describe: 'Evaluation of the untrained model, for differences' })
      .option('out', {
        type: 'string',
        demandOption: true,
        describe: 'Folder for matrix.json, .md, .svg and .html',
      })
      .option('recipe', {
        type: 'string',
        describe: 'YAML config: train one model per domain first, into OUT/runs',
      })
      .option('method', {
        choices: ['sft', 'grpo'] as const,
        default: 'grpo' as const,
        describe: 'What the recipe is for',
      })
      .option('test', { type: 'string', describe: 'With --recipe: questions to evaluate every model on' })
      .option('phase', {
        choices: ['eval', 'train'] as const,
        default: 'eval' as const,
        describe: 'With --recipe: the words of the questions, as for osler eval',
      })
      .option('only', { type: 'string', array: true, describe: 'With --recipe: train on these domains only' })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'With --recipe: another value for a setting, such as max_steps=50; may be repeated',
      })
      .example(
        '$0 matrix runs/ct runs/mri runs/xray --out matrix',
        'collects what the runs evaluated at their end',
      )
      .example(
        '$0 matrix CT=evals/ct MRI=evals/mri --base evals/base --out matrix',
        'from evaluations of your own',
      )
      .example(
        '$0 matrix --recipe recipes/grpo.yaml --test test.jsonl --domain question_type --out matrix',
        'trains and evaluates everything; goes on where it was interrupted',
      ),
  handler: async (args) => {
    if (args.recipe !== undefined && args.runs.length > 0) {
      throw new UsageError('give either runs to collect or --recipe to train, not both');
    }
    let { runs, base } = args;
    if (args.recipe !== undefined) {
      if (args.test === undefined)
        throw new UsageError('--recipe needs --test, the questions to evaluate on');
      const trained = await trainMatrix({ ...args, recipe: args.recipe, test: args.test });
      runs = trained.runs;
      base ??= trained.base;
    }
    if (runs.length === 0) throw new UsageError('name runs to collect, or a --recipe to train');
    if (base !== undefined && !(await isFolder(base))) throw new UsageError(`--base ${base} is not a folder`);
    const rows: MatrixRow[] = [];
    for (const run of runs) rows.push(await readRow(run, args));
    const twice = rows.find(({ trained }, i) => rows.findIndex((row) => row.trained === trained) !== i);
    if (twice)
      throw new UsageError(`two of the runs were trained on ${twice.trained}; name each domain once`);
    const untrained = await readBase(base);
    const result = generalizationMatrix(rows, {
      domain: args.domain,
      reading: args.reading,
      ...(untrained ? { base: untrained } : {}),
    });
    await writeTextFiles(args.out, {
      'matrix.json': `${JSON.stringify(result, null, 2)}\n`,
      'matrix.md': matrixMarkdown(result),
      'matrix.svg': heatMapSvg(result),
      'matrix.html': heatMapPage(result),
    });
    if (args.json) printJson(result);
    else print(`${render(result)}\n\n${path.join(args.out, 'matrix.html')}`);
  },
};
