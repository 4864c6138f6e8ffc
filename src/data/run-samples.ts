/** The samples that a run's config asks for. */

import { leftOut } from '../formats/counted.js';
import { FileError } from '../platform/errors.js';
import { type Dataset, datasetFiles, loadDataset } from './dataset.js';
import { DataError } from './errors.js';
import type { Sample } from './readers/schemas.js';
import type { DataConfig } from './run-fields.js';
import { select } from './select.js';
import { splitByImage } from './split.js';

/** Samples to learn from and samples that are held out. */
export interface TrainingData {
  readonly train: readonly Sample[];
  readonly evaluation: readonly Sample[];
  /** The files that they were read from. */
  readonly files: readonly string[];
}

/** Reads, filters and splits. Bad records are left out and told of, unless the config is strict. */
export async function loadTrainingData(
  config: DataConfig & { readonly seed: number },
  note: (line: string) => void,
): Promise<TrainingData> {
  const all = filtered(await load('train_dataset', config, note), config);
  const { train, evaluation } = await split(all, config, note);
  const paths = [config.train_dataset, config.eval_dataset ?? []].flat();
  return {
    train: limited(train, config, 'train'),
    evaluation: limited(evaluation, config, 'eval'),
    files: (await Promise.all(paths.map(datasetFiles))).flat(),
  };
}

async function split(
  all: readonly Sample[],
  config: DataConfig & { readonly seed: number },
  note: (line: string) => void,
): Promise<Pick<TrainingData, 'train' | 'evaluation'>> {
  if (config.eval_dataset !== null) {
    return { train: all, evaluation: filtered(await load('eval_dataset', config, note), config) };
  }
  if (config.eval_fraction === null) return { train: all, evaluation: [] };
  const { train, test } = splitByImage(all, { testShare: config.eval_fraction, seed: config.seed });
  return { train, evaluation: test };
}

async function load(
  field: 'train_dataset' | 'eval_dataset',
  config: DataConfig,
  note: (line: string) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const path of [config[field] ?? []].flat()) {
    const dataset = await readAs(field, path, config);
    samples.push(...dataset.samples);
    const [first] = dataset.problems;
    if (first) note(`${path}: ${leftOut(dataset.problems.length, 'bad record')}, such as ${first.message}`);
  }
  return samples;
}

/** Recipes name files that nobody else has: a file that cannot be read is told with its setting. */
async function readAs(field: string, path: string, config: DataConfig): Promise<Dataset> {
  try {
    return await loadDataset(path, { strict: config.strict_data });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new DataError({ file: `${field}:` }, error.message, { cause: error });
  }
}

function filtered(samples: readonly Sample[], config: DataConfig): Sample[] {
  const kept = select(samples, {
    ...(config.modalities ? { modalities: config.modalities } : {}),
    ...(config.question_types ? { questionTypes: config.question_types } : {}),
    ...(config.datasets ? { datasets: config.datasets } : {}),
  });
  if (kept.length === 0) throw new DataError({ file: 'the filter' }, 'leaves no sample');
  return kept;
}

function limited(
  samples: readonly Sample[],
  config: DataConfig & { readonly seed: number },
  side: 'train' | 'eval',
): readonly Sample[] {
  const limit = side === 'train' ? config.max_train_samples : config.max_eval_samples;
  return limit === null ? samples : select(samples, { limit, seed: config.seed });
}
