/** Loading a model from a folder in the Hugging Face layout. */

import { openCheckpoint } from '../formats/checkpoint.js';
import type { Gpu } from '../gpu/index.js';
import type { ModelConfig } from './core/config.js';
import { modelError } from './core/errors.js';
import { type LoadWeightsOptions, loadWeights } from './core/load-weights.js';
import { Model } from './core/model.js';
import { readJson } from './core/read-json.js';
import { parseConfig } from './registry.js';

/** Options of {@link loadModel}. */
export type LoadOptions = LoadWeightsOptions;

/** Reads and normalises a folder's config.json; `option` is what the user named the folder with. */
export async function loadConfig(dir: string, option = '--model'): Promise<ModelConfig> {
  const raw = await readJson(dir, 'config.json');
  if (!raw)
    throw modelError(
      `${dir}/config.json`,
      `does not exist; ${option} takes a folder in the Hugging Face layout`,
    );
  return parseConfig(raw, `${dir}/config.json`);
}

/** Loads a model: config.json and safetensors. Nothing trains until `model.parameters.train` says what. */
export async function loadModel(gpu: Gpu, dir: string, options: LoadOptions = {}): Promise<Model> {
  const config = await loadConfig(dir);
  const checkpoint = await openCheckpoint(dir);
  try {
    const { parameters, warnings } = await loadWeights(gpu, checkpoint, config, options);
    return new Model(gpu, config, parameters, warnings);
  } finally {
    await checkpoint.close();
  }
}
