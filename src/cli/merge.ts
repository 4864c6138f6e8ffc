/** `osler merge`: an adapter added to its base. */
import type { CommandModule } from 'yargs';
import { mergeAdapter } from '../models/merge.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { TORCH_FLOATS, type TorchFloat } from '../tensor/index.js';
import { type CommonArgs, commonOptions } from './common.js';
import { openDevice } from './device.js';
import { assertApart, assertFree, percentShown } from './model-output.js';
import { clearProgress, print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly adapter: string;
  readonly base?: string;
  readonly out: string;
  readonly dtype?: TorchFloat;
  readonly overwrite: boolean;
}

/** The yargs command. */
export const merge: CommandModule<object, Args> = {
  command: 'merge',
  describe: 'Add a LoRA adapter to the weights of its base, quantised ones too, and write the model',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('adapter', {
        type: 'string',
        demandOption: true,
        describe: "Folder of a LoRA adapter in PEFT format, such as a run's checkpoint",
      })
      .option('base', { type: 'string', describe: 'Folder of the base; what the adapter names by default' })
      .option('out', { type: 'string', demandOption: true, describe: 'Folder to write' })
      .option('dtype', {
        choices: TORCH_FLOATS,
        describe: "Dtype of the weights; that of the base's config.json by default",
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace a model that is there' })
      .example(
        '$0 merge --adapter runs/mine/checkpoints/step-000200 --base models/Qwen2-VL-2B-Instruct --out models/mine',
        'a model that needs no adapter, for any engine',
      ) as never,
  handler: async ({ adapter, base, out, dtype, overwrite, json }) => {
    for (const read of [adapter, ...(base === undefined ? [] : [base])]) assertApart(out, read);
    await assertFree(out, overwrite);
    await ensureDriver();
    const gpu = await openDevice();
    try {
      const result = await mergeAdapter(gpu, { adapter, base, out, dtype, onProgress: percentShown() });
      clearProgress();
      for (const warning of result.warnings) tell(`warning: ${warning}`);
      if (json) return printJson({ out, ...result });
      const { merged, decoded, rounding, changeLost } = result;
      const show = (x: number) => (x === 0 ? '0' : x.toExponential(1));
      print(
        `${out}: ${merged} weights merged${decoded > 0 ? `, ${decoded} decoded` : ''}, in ${result.dtype}\n` +
          `rounding: ${show(rounding.mean)} of a number on average, ${show(rounding.most)} at most; ` +
          `it takes ${show(changeLost)} of the adapter's change`,
      );
    } finally {
      await gpu.destroy();
    }
  },
};
