/** The config of supervised fine-tuning. */
import { z } from 'zod';
import { checkDataFields, dataFields } from '../data/index.js';
import {
  type ConfigSource,
  checkTrainingConfig,
  configError,
  parseConfigFile,
  trainingFields,
} from '../train/config/index.js';

const schema = z.strictObject({
  ...trainingFields,
  ...dataFields,
  learning_rate: z.number().positive().default(2e-5),
  /**
   * `dft` weighs each token by its probability, so that what the model finds unlikely pulls less (Dynamic Fine-Tuning); `nll` is
   * plain cross-entropy.
   */
  loss_type: z.enum(['nll', 'dft']).default('nll'),
  /** Which answers of a conversation count: all of the assistant's, or the last. */
  learn_from: z.enum(['all', 'last']).default('all'),
  /** Most tokens of an example, images included, and with `packing` of a row; null for no limit. */
  max_length: z.int().positive().nullable().default(1024),
  /** What happens to longer examples: `drop` leaves them out, `truncate` cuts their end, `error` refuses the data. */
  overlong: z.enum(['drop', 'truncate', 'error']).default('drop'),
  /** Puts several examples into each row, up to `max_length` tokens; they do not see each other. Longest first, each where it fits best. */
  packing: z.boolean().default(false),
  /** Has examples of about the same length meet in a step. */
  group_by_length: z.boolean().default(false),
  /** Order of the examples: another one in each epoch, or that of the data. */
  shuffle_dataset: z.boolean().default(true),
});

/** Names of its fields. */
export const SFT_FIELDS: ReadonlySet<string> = new Set(Object.keys(schema.shape));

/** A complete config. */
export type SftConfig = z.output<typeof schema>;

/** Reads and checks a config. */
export function parseSftConfig(source: ConfigSource): SftConfig {
  const config = parseConfigFile(schema, source);
  checkTrainingConfig(config);
  checkDataFields(config);
  if (config.packing && config.max_length === null) {
    throw configError(`the config's "packing"`, 'needs max_length, the length of a row');
  }
  if (config.group_by_length && (config.packing || !config.shuffle_dataset)) {
    const other = config.packing ? 'packing, which fills rows to the same length' : 'shuffle_dataset: false';
    throw configError(`the config's "group_by_length"`, `cannot be used with ${other}`);
  }
  return config;
}
