/** `osler compare`: whether one evaluation is better than another on the same questions, and where. */
import type { CommandModule } from 'yargs';
import { type Comparison, compareEvaluations, type PairedCell, type Reading } from '../eval/compare.js';
import { readPredictions } from '../eval/files.js';
import { inOrder } from '../eval/tables.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { percent, textTable } from './table.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly a: string;
  readonly b: string;
  readonly reading: Reading;
}

const HEAD = ['n', 'A', 'B', 'B - A', 'only A', 'only B', 'p'];

function row(name: string, cell: PairedCell): string[] {
  const delta = `${cell.delta >= 0 ? '+' : ''}${(100 * cell.delta).toFixed(1)}`;
  return [
    name,
    String(cell.n),
    percent(cell.a),
    percent(cell.b),
    delta,
    String(cell.only_a),
    String(cell.only_b),
    cell.p < 0.0001 ? '<0.0001' : cell.p.toFixed(4),
  ];
}

function table(title: string, cells: Readonly<Record<string, PairedCell>>): string {
  const rows = inOrder(Object.keys(cells)).map((name) => row(name, cells[name] as PairedCell));
  return textTable([title, ...HEAD], rows);
}

/** Scores of open answers, where there are some. */
function scoreTable({ scores = {} }: Comparison): string[] {
  const rows = Object.entries(scores).map(([name, { n, a, b, delta }]) => [
    name,
    String(n),
    ...[a, b].map((value) => value.toFixed(3)),
    `${delta < 0 ? '' : '+'}${delta.toFixed(3)}`,
  ]);
  return rows.length === 0 ? [] : [textTable(['score of open answers', 'n', 'a', 'b', 'b - a'], rows)];
}

function render(comparison: Comparison): string {
  const cells = Object.entries(comparison.matrix).flatMap(([modality, types]) =>
    Object.entries(types).map(([type, cell]): [string, PairedCell] => [`${modality}, ${type}`, cell]),
  );
  const missing = comparison.missing_in_a + comparison.missing_in_b;
  return [
    textTable([`all (${comparison.reading})`, ...HEAD], [row('all', comparison)]),
    table('modality', comparison.by_modality),
    table('question type', comparison.by_question_type),
    ...scoreTable(comparison),
    textTable(
      ['cell', ...HEAD],
      cells.map(([name, cell]) => row(name, cell)),
    ),
    [
      `p: McNemar's test, ${comparison.method === 'exact' ? 'exact' : 'chi-squared with continuity correction'}; of many cells some are small by chance.`,
      ...(missing > 0 ? [`${missing} questions are in only one of the two and do not count.`] : []),
    ].join('\n'),
  ].join('\n\n');
}

/** The yargs command. */
export const compare: CommandModule<object, Args> = {
  command: 'compare <a> <b>',
  describe: 'Compare two evaluations of the same questions: differences by cell, and a paired test',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('a', { type: 'string', demandOption: true, describe: 'Folder that osler eval wrote' })
      .positional('b', { type: 'string', demandOption: true, describe: 'Another one' })
      .option('reading', {
        choices: ['robust', 'paper'] as const,
        default: 'robust' as const,
        describe: 'Which reading of the answers counts',
      })
      .example('$0 compare evals/base evals/grpo', 'did training help, and where')
      .example(
        '$0 compare evals/sft evals/grpo --reading paper --json',
        'by the scripts of Med-R1, for scripts',
      ),
  handler: async (args) => {
    const [a, b] = await Promise.all([readPredictions(args.a), readPredictions(args.b)]);
    const comparison = compareEvaluations(a, b, args.reading);
    if (comparison.n === 0 && comparison.scores === undefined) {
      throw new UsageError(
        `${args.a} and ${args.b} have no question in common; compare evaluations of the same data`,
      );
    }
    if (args.json) printJson(comparison);
    else print(render(comparison));
  },
};
