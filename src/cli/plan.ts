/** `osler plan`: the memory that a config needs, without a GPU, weights or data. */
import path from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { type GrpoConfig, parseGrpoConfig } from '../grpo/index.js';
import { workloadOf } from '../grpo/workload.js';
import { loadConfig, type ModelConfig, parseConfig } from '../models/index.js';
import { architecture, PUBLISHED } from '../models/init/init.js';
import { planBatches } from '../rollout/plan.js';
import { parseSftConfig, type SftConfig } from '../sft/index.js';
import type { ConfigSource, TrainingConfig } from '../train/config/index.js';
import { fitsText, planMemory, type Settings, settingsThatFit } from '../train/memory/index.js';
import type { Workload } from '../train/task.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { planTable } from './plan-table.js';
import { print, printJson } from './terminal.js';
import { configSource, type TrainingArgs } from './training.js';

interface Args extends CommonArgs, Pick<TrainingArgs, 'config' | 'set'> {
  readonly card?: number;
  readonly promptTokens?: number;
  readonly patches?: number;
}

/** Patches of a picture where nothing limits them: 627 x 627 pixels. */
const USUAL_PATCHES = 2048;
/** Tokens of a question beside its picture. */
const USUAL_TEXT = 256;

/** What is planned for. */
interface Largest {
  readonly tokens: number;
  readonly patches: number;
  readonly image: number;
}

type Parsed = { readonly grpo: GrpoConfig } | { readonly sft: SftConfig };

/** A config belongs to the trainer whose fields it has. */
function parse(source: ConfigSource): Parsed {
  try {
    return { sft: parseSftConfig(source) };
  } catch (error) {
    if (!/^(rewards|algorithm|num_generations|max_completion_length):/m.test(source.text)) throw error;
    return { grpo: parseGrpoConfig(source) };
  }
}

function withSettings(parsed: Parsed, settings: Settings): Parsed {
  return 'grpo' in parsed
    ? { grpo: { ...parsed.grpo, ...settings } }
    : { sft: { ...parsed.sft, ...settings } };
}

/** The shape of the model: of its folder, or of the published model of that name. */
async function shapeOf(folder: string): Promise<{ model: ModelConfig; note: string | null }> {
  try {
    return { model: await loadConfig(folder, 'model_name_or_path'), note: null };
  } catch (error) {
    const name = path
      .basename(folder)
      .toLowerCase()
      .replace(/-(instruct|it)$/, '');
    const absent = error instanceof Error && error.message.includes('does not exist');
    if (!absent || !Object.hasOwn(PUBLISHED, name)) throw error;
    const model = parseConfig(architecture(name).raw, name);
    return { model, note: `${folder} is not there: its shape is that of the published ${name}` };
  }
}

/** Patches of a picture: of all pictures, where the model takes them in one size only. */
function usualPatches(maxPixels: number | null, vision: ModelConfig['vision']): number {
  if (!vision) return USUAL_PATCHES;
  const { exactSize } = vision.pictures;
  const pixels = exactSize ? exactSize.height * exactSize.width : maxPixels;
  const patches = pixels === null ? USUAL_PATCHES : Math.floor(pixels / vision.patchSize ** 2);
  return exactSize ? patches : Math.min(patches, USUAL_PATCHES);
}

function largestOf(
  args: Args,
  config: TrainingConfig & { max_prompt_length?: number | null },
  model: ModelConfig,
): Largest {
  const { vision } = model;
  const unit = vision ? vision.mergeSize ** 2 : 1;
  const wanted = args.patches ?? usualPatches(config.max_pixels, vision);
  const patches = vision ? Math.ceil(wanted / unit) * unit : 0;
  const tokens = args.promptTokens ?? config.max_prompt_length ?? patches / unit + USUAL_TEXT;
  if (tokens <= patches / unit)
    throw new UsageError(
      `--prompt-tokens ${tokens} is no more than the ${patches / unit} tokens of a picture; raise it, or lower --patches`,
    );
  return { tokens, patches, image: patches };
}

function workload(parsed: Parsed, model: ModelConfig, largest: Largest): Workload {
  if ('grpo' in parsed) return workloadOf(parsed.grpo, planBatches(parsed.grpo), model, largest);
  const { per_device_train_batch_size: rows, max_length: length } = parsed.sft;
  const tokens = length ?? largest.tokens;
  return {
    tokens: rows * tokens,
    longest: tokens,
    patches: rows * largest.patches,
    largestImage: largest.image,
    targets: rows * Math.max(1, tokens - largest.patches / 4),
    lower: [
      'a lower per_device_train_batch_size with more gradient_accumulation_steps',
      'a lower max_length',
    ],
  };
}

/** The yargs command. */
export const plan: CommandModule<object, Args> = {
  command: 'plan',
  describe: 'Say what memory a config of sft or grpo needs, without a GPU, weights or data',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('config', {
        type: 'string',
        demandOption: true,
        describe: 'YAML file with the settings of the run',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Another value for a setting, such as optim=adamw_8bit; may be repeated',
      })
      .option('card', {
        type: 'number',
        describe: 'GiB of the card: whether it fits, and with which settings it would',
      })
      .option('prompt-tokens', {
        type: 'number',
        describe: 'Tokens of the longest prompt; max_prompt_length by default',
      })
      .option('patches', {
        type: 'number',
        describe: 'Patches of the largest picture; those of max_pixels by default',
      })
      .example(
        '$0 plan --config recipes/med-r1-qwen2-vl-2b.yaml --card 24',
        'the settings of the paper on a card of 24 GiB',
      ) as Argv<Args>,
  handler: async (args) => {
    for (const name of ['card', 'promptTokens', 'patches'] as const) {
      const value = args[name];
      if (value !== undefined && !(value > 0))
        throw new UsageError(`--${name} ${value} is not a number of more than 0`);
    }
    const parsed = parse(await configSource(args));
    const config = 'grpo' in parsed ? parsed.grpo : parsed.sft;
    const { model, note } = await shapeOf(config.model_name_or_path);
    const largest = largestOf(args, config, model);
    const load = (settings: Settings = {}) => workload(withSettings(parsed, settings), model, largest);
    const found = planMemory(config, model, load());
    const bytes = args.card === undefined ? undefined : args.card * 2 ** 30;
    const fits = bytes === undefined ? null : found.peak <= bytes;
    const ways =
      bytes !== undefined && !fits ? settingsThatFit({ config, model, workload: load }, bytes) : [];
    if (args.json) {
      printJson({ plan: found, largest, fits, fit: ways[0] ?? null, others: ways.slice(1) });
      return;
    }
    if (note) print(note);
    print(
      `for prompts of ${largest.tokens} tokens${model.vision ? ` with a picture of ${largest.patches} patches` : ''}`,
    );
    print(planTable(found));
    if (bytes === undefined) return;
    if (fits) print(`fits a card of ${args.card} GiB`);
    else if (ways.length > 0) print(`does not fit ${args.card} GiB; it fits with ${fitsText(ways)}`);
    else print(`does not fit ${args.card} GiB; lower it with ${found.lower.join(', ')}`);
  },
};
