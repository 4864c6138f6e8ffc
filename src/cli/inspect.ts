/** `osler inspect`: what is in a safetensors file or checkpoint. */

import type { CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import { type InspectedWeight, type Inspection, inspect as inspectPath } from '../formats/inspect.js';
import { visibleInLine } from '../formats/quote.js';
import { type CommonArgs, commonOptions } from './common.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly path: string;
}

function render(report: Inspection): string {
  const quantised = new Map(report.quantised.map((weight) => [weight.name, weight]));
  const parts = new Set(report.quantised.flatMap(({ tensors }) => tensors));
  const weights = report.tensors.flatMap(
    (tensor): Pick<InspectedWeight, 'name' | 'format' | 'shape' | 'bytes'>[] => {
      const weight = quantised.get(tensor.name);
      if (weight) return [weight];
      return parts.has(tensor.name) ? [] : [{ ...tensor, format: tensor.dtype }];
    },
  );
  const rows = weights.map((weight) => [
    visibleInLine(weight.name),
    weight.format,
    `[${weight.shape.join(', ')}]`,
    String(weight.bytes),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column].length)));
  const lines = rows.map((row) => row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell)).join('  '));
  const formats = Object.entries(report.formats).map(
    ([format, { weights: count, bytes, bytesPerParameter: each }]) =>
      `${format} ${counted(count, 'tensor')}, ${bytes} bytes, ${Number(each.toFixed(3))} per parameter`,
  );
  return [
    ...lines,
    '',
    ...report.files.map((f) => `${f.file}: ${counted(f.tensors, 'tensor')}, ${f.bytes} bytes`),
    ...formats,
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
