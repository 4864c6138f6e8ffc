/** `osler quantize`: a checkpoint with its linear layers in 4 bits. */
import type { CommandModule } from 'yargs';
import { quantizeModel } from '../models/quantize.js';
import { type CommonArgs, commonOptions } from './common.js';
import { assertApart, assertFree, percentShown } from './model-output.js';
import { clearProgress, print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly model: string;
  readonly out: string;
  readonly doubleQuant: boolean;
  readonly skip: readonly string[];
  readonly overwrite: boolean;
}

/** The yargs command. */
export const quantize: CommandModule<object, Args> = {
  command: 'quantize <model>',
  describe: 'Write a checkpoint with the linear layers in 4 bits (NF4), as bitsandbytes does; needs no GPU',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'Folder with config.json and safetensors in F32, F16 or BF16',
      })
      .option('out', { type: 'string', demandOption: true, describe: 'Folder to write' })
      .option('double-quant', {
        type: 'boolean',
        default: true,
        describe: 'Keep the magnitudes of blocks in 8 bits, too: 4.13 bits a weight instead of 4.5',
      })
      .option('skip', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe:
          'Module that keeps its weights, by its path or words of it, such as visual; may be repeated',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace a model that is there' })
      .example(
        '$0 quantize models/Qwen2.5-VL-7B-Instruct --out models/7b-nf4',
        'what load_in_4bit makes while loading, once and for all',
      ) as never,
  handler: async ({ model, out, doubleQuant, skip, overwrite, json }) => {
    assertApart(out, model);
    await assertFree(out, overwrite);
    const onProgress = percentShown();
    const result = await quantizeModel(model, out, { doubleQuant, skip, onProgress });
    clearProgress();
    for (const warning of result.warnings) tell(`warning: ${warning}`);
    if (json) return printJson({ out, ...result });
    const { quantised, kept, bytesBefore, bytes } = result;
    const gb = (size: number) => (size / 1e9).toFixed(2);
    print(
      `${out}: ${quantised} weights in nf4, ${kept} as they were; ${gb(bytes)} GB, before ${gb(bytesBefore)} GB`,
    );
  },
};
