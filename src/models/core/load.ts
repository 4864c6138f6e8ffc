/** Loading a model from a folder in the Hugging Face layout. */

import { openCheckpoint } from '../../formats/checkpoint.js';
import { JsonProblem, parseJsonObject } from '../../formats/json.js';
import type { Gpu } from '../../gpu/index.js';
import { folderReader } from '../../platform/files.js';
import { type ModelConfig, parseConfig } from './config.js';
import { modelError } from './errors.js';
import { parameterSpecs } from './inventory.js';
import type { JsonObject } from './json-fields.js';
import { type LoadWeightsOptions, loadWeights } from './load-weights.js';
import { Model } from './model.js';

/** Options of {@link loadModel}. */
export type LoadOptions = LoadWeightsOptions;

/** Reads a folder's JSON file; undefined when there is none. */
export async function readJson(dir: string, name: string): Promise<JsonObject | undefined> {
  const bytes = await folderReader(dir)(name);
  if (!bytes) return undefined;
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw modelError(`${dir}/${name}`, error.message);
  }
}

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
    const { parameters, warnings } = await loadWeights(gpu, checkpoint, parameterSpecs(config), options);
    return new Model(gpu, config, parameters, warnings);
  } finally {
    await checkpoint.close();
  }
}
