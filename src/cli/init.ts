/** `osler init`: a randomly initialised checkpoint of a named architecture. */
import { readFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { parameterCount } from '../models/core/inventory.js';
import type { JsonObject } from '../models/core/json-fields.js';
import { ARCHITECTURES, initModel } from '../models/init/init.js';
import { readProblem } from '../platform/node/system-errors.js';
import { TORCH_FLOATS, type TorchFloat } from '../tensor/index.js';
import { learnMerges } from '../text/index.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { assertFree, percentShown } from './model-output.js';
import { COUNT_OR_NONE, numbers, SEED } from './numbers.js';
import { clearProgress, print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly arch?: string;
  readonly config?: string;
  readonly text?: readonly string[];
  readonly merges: number;
  readonly seed: number;
  readonly out: string;
  readonly dtype?: TorchFloat;
  readonly overwrite: boolean;
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option} ${file} ${readProblem(error)}`);
  }
}

async function readConfig(file: string): Promise<JsonObject> {
  const text = await readText('--config', file);
  try {
    return JSON.parse(text) as JsonObject;
  } catch (error) {
    throw new UsageError(`--config ${file} is not JSON: ${(error as Error).message}`);
  }
}

/** The yargs command. */
export const init: CommandModule<object, Args> = {
  command: 'init',
  describe: 'Write a randomly initialised checkpoint, with a tokenizer, for tests and speed runs',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('arch', {
        type: 'string',
        choices: ARCHITECTURES,
        describe: 'What to build; tiny and small are Qwen2.5-VL in miniature',
      })
      .option('config', {
        type: 'string',
        describe: 'Instead of --arch: a config.json, whose vocabulary size and token ids are filled in',
      })
      .option('text', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'File whose words the tokenizer learns to spell with few tokens; may be repeated',
      })
      .option('merges', {
        type: 'number',
        default: 1000,
        describe: 'With --text: tokens to learn beside the 256 bytes',
      })
      .option('seed', { type: 'number', default: 0, describe: 'Equal seeds give equal files' })
      .option('out', { type: 'string', demandOption: true, describe: 'Folder to write' })
      .option('dtype', {
        choices: TORCH_FLOATS,
        describe: "Dtype of the weights; the architecture's own by default",
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace weights that are there' })
      .check(numbers({ merges: COUNT_OR_NONE, seed: SEED }), false)
      .example('$0 init --arch tiny --seed 0 --out models/tiny', 'a model that trains on a laptop')
      .example('$0 init --arch qwen2-vl-2b --out models/random-2b', 'the real sizes, for speed runs'),
  handler: async (args) => {
    const arch = args.config === undefined ? args.arch : await readConfig(args.config);
    if (arch === undefined || (args.config !== undefined && args.arch !== undefined)) {
      throw new UsageError('name what to build: either --arch or --config');
    }
    const name = args.config ?? args.arch ?? '';
    const texts = await Promise.all((args.text ?? []).map((file) => readText('--text', file)));
    await assertFree(args.out, args.overwrite);
    const start = performance.now();
    const progress = percentShown();
    const config = await initModel(args.out, {
      arch,
      merges: learnMerges(texts, args.merges),
      seed: args.seed,
      dtype: args.dtype,
      onProgress: ({ parametersDone, parameters }) => progress(parametersDone, parameters),
    });
    clearProgress();
    const parameters = parameterCount(config);
    const seconds = (performance.now() - start) / 1000;
    if (args.json) printJson({ arch: name, seed: args.seed, out: args.out, dtype: config.dtype, parameters });
    else print(`${args.out}: ${name}, ${parameters} parameters in ${config.dtype}, ${seconds.toFixed(1)} s`);
  },
};
