/** `osler inspect`: what is in a safetensors file or checkpoint. */

import type { CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import { type Inspection, inspect as inspectPath } from '../formats/inspect.js';
import { visibleInLine } from '../formats/quote.js';
import { type CommonArgs, commonOptions } from './common.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly path: string;
}

function render(report: Inspection): string {
  const rows = report.tensors.map((t) => [
    visibleInLine(t.name),
    t.dtype,
    `[${t.shape.join(', ')}]`,
    String(t.bytes),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column].length)));
  const lines = rows.map((row) => row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell)).join('  '));
  const dtypes = Object.entries(report.dtypes).map(
    ([dtype, d]) => `${dtype} ${counted(d.tensors, 'tensor')}, ${d.bytes} bytes`,
  );
  return [
    ...lines,
    '',
    ...report.files.map((f) => `${f.file}: ${counted(f.tensors, 'tensor')}, ${f.bytes} bytes`),
    ...dtypes,
    `${report.parameters} parameters, ${report.bytes} bytes`,
    ...report.warnings.map((warning) => `warning: ${warning}`),
  ].join('\n');
}

/** The yargs command. */
export const inspect: CommandModule<object, Args> = {
  command: 'inspect <path>',
  describe: 'List the tensors, dtypes, shapes and sizes of a safetensors file or checkpoint folder',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'A .safetensors file, an index, or a folder',
      })
      .example('$0 inspect model/', 'every tensor of a checkpoint, and the parameter count')
      .example('$0 inspect model.safetensors --json', 'the same for scripts'),
  handler: async (args) => {
    const report = await inspectPath(args.path);
    if (args.json) printJson(report);
    else print(render(report));
  },
};
