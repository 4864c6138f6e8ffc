/** Fields of a run's config that say what it learns from, and in which words; shared by all trainers. */
import { z } from 'zod';
import { DataError } from './errors.js';
import { ANSWER_STYLES } from './prompts.js';

const count = z.int().positive();
const names = z.array(z.string().min(1)).min(1).nullable().default(null);
const path = z.string().min(1);

/** Fields of a run's data. */
export const dataFields = {
  /** Files or folders with questions or conversations, as `osler data` reads them. */
  train_dataset: z.union([path, z.array(path).min(1)]),
  /** Held-out data for evaluations. */
  eval_dataset: z
    .union([path, z.array(path).min(1)])
    .nullable()
    .default(null),
  /** Without `eval_dataset`: share of the training data that is held out, split so that no picture is on both sides. */
  eval_fraction: z.number().gt(0).lt(1).nullable().default(null),
  /** Take only samples of these modalities, question types or datasets. */
  modalities: names,
  question_types: names,
  datasets: names,
  /** Most samples of the training and evaluation data, drawn with `seed`. */
  max_train_samples: count.nullable().default(null),
  max_eval_samples: count.nullable().default(null),
  /** Makes the first bad record an error instead of skipping it. */
  strict_data: z.boolean().default(false),
  /** How questions ask to be answered, and how answers to learn from are written. */
  answer_style: z.enum(ANSWER_STYLES).default('think'),
  /** The prompt's own words with `{Question}` in them, in place of those of `answer_style`. */
  prompt_template: z
    .string()
    .refine((text) => text.includes('{Question}'), { message: 'has no {Question}, where the question goes' })
    .nullable()
    .default(null),
  /** System message of the prompts; that of the chat template by default. */
  system_prompt: z.string().nullable().default(null),
};

const dataSchema = z.strictObject(dataFields);

/** The part of a config that is about data. */
export type DataConfig = z.output<typeof dataSchema>;

/** Refuses what cannot work with an evaluation, or without one. */
export function checkDataFields(
  config: DataConfig & { readonly eval_strategy: string; readonly eval_on_start: boolean },
): void {
  const refuse = (field: string, problem: string): never => {
    throw new DataError({ file: `the config's "${field}"` }, problem);
  };
  const { eval_dataset, eval_fraction, eval_strategy, eval_on_start } = config;
  if (eval_dataset !== null && eval_fraction !== null) {
    refuse('eval_fraction', 'is set beside eval_dataset; give one of them');
  }
  const held = eval_dataset !== null || eval_fraction !== null;
  if ((eval_strategy !== 'no' || eval_on_start) && !held) {
    refuse('eval_strategy', 'needs held-out data; set eval_dataset or eval_fraction');
  }
}
