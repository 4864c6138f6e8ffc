/** `osler report`: a run or an evaluation as one HTML file. */

import type { Argv, CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import { loadPageAssets } from '../report/assets.js';
import { type WrittenReport, writeReport } from '../report/write-report.js';
import { type CommonArgs, commonOptions } from './common.js';
import { numbers } from './numbers.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly run: string;
  readonly out?: string;
  readonly 'max-size': number;
  readonly pictures: readonly string[] | false;
}

function render(report: WrittenReport, embeds: boolean): string {
  const { completions, pictures } = report;
  return [
    `${report.file}: ${(report.bytes / 1e6).toFixed(1)} MB`,
    `${report.steps > 0 ? `${counted(report.steps, 'step')}, ` : ''}${completions.shown} of ${counted(completions.all, 'completion')}, ${counted(pictures.shown, 'picture')}`,
    ...(report.evaluations.length > 0 ? [`evaluations: ${report.evaluations.join(', ')}`] : []),
    ...report.notes.map((note) => `note: ${note}`),
    ...(embeds && pictures.missing > 0
      ? ['note: pictures elsewhere than in this folder or the run are embedded only with --pictures FOLDER']
      : []),
  ].join('\n');
}

/** The yargs command. */
export const report: CommandModule<object, Args> = {
  command: 'report <run>',
  describe: 'Write the report of a training run or an evaluation: one HTML file that opens offline',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('run', {
        type: 'string',
        demandOption: true,
        describe: 'Folder of a run (output_dir of sft and grpo) or of an evaluation (--out of eval)',
      })
      .option('out', { type: 'string', describe: 'File to write; report.html in that folder by default' })
      .option('max-size', {
        type: 'number',
        default: 20,
        describe: 'Megabytes that the file may have; pictures get smaller and traces fewer to fit',
      })
      .option('pictures', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe:
          'Folder whose pictures may be embedded, besides this one and that of the run; --no-pictures embeds none',
      })
      .check(numbers({ 'max-size': { min: 1 } }), false)
      .example('$0 report runs/grpo', 'writes runs/grpo/report.html')
      .example('$0 report evals/base', 'each question, what the model said and how it was read')
      .example('$0 report runs/grpo --out grpo.html --max-size 5', 'a small one to send around')
      .example(
        '$0 report runs/grpo --out grpo.html --no-pictures',
        'where pictures must not go along',
      ) as Argv<Args>,
  handler: async (args) => {
    const { pictures } = args;
    const written = await writeReport(args.run, {
      assets: await loadPageAssets(),
      maxBytes: args['max-size'] * 1e6,
      ...(pictures === false ? { pictures } : { picturesWithin: ['.', ...pictures] }),
      ...(args.out !== undefined && { out: args.out }),
    });
    if (args.json) printJson(written);
    else print(render(written, pictures !== false));
  },
};
