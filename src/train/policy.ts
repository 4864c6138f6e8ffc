/** Loading the model that a run trains: all of it, or an adapter on it. */
import { type Gpu, OslerError, type Rehearsal } from '../gpu/index.js';
import type { FeatureCacheOptions } from '../models/core/features.js';
import {
  adapterOf,
  createAdapter,
  type LoadProgress,
  type LoraConfig,
  loadAdapter,
  loadModel,
  Model,
  type ModelConfig,
  type Quantization,
  type WeightDtype,
  weightsOnPaper,
} from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import { fromTorch } from '../tensor/index.js';
import { frozenParts, type TrainingConfig } from './config/index.js';
import { selectTrainable } from './parts.js';

/** Settings of {@link loadPolicy}. */
export interface PolicyOptions {
  /** Checkpoint of this run to go on from: its weights, or its adapter, take the place of the config's. */
  readonly checkpoint?: string;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** Storage of weights on the device, in the words of `loadModel`. */
export function weightDtype(config: TrainingConfig): WeightDtype {
  return config.dtype === 'auto' ? 'auto' : fromTorch(config.dtype);
}

/** How linear layers are quantised while they are loaded; undefined where they are not. */
function quantization(config: TrainingConfig): Quantization | undefined {
  const { load_in_4bit, bnb_4bit_use_double_quant, llm_int8_skip_modules } = config;
  return load_in_4bit ? { doubleQuant: bnb_4bit_use_double_quant, skip: llm_int8_skip_modules } : undefined;
}

/** What does not train may be quantised; an adapter beside it trains. */
function checkTrainable(config: TrainingConfig, model: Model): void {
  if (config.use_peft || !model.isQuantised) return;
  throw new OslerError(
    'value',
    `${config.model_name_or_path} is quantised, and weights in 4 bits cannot train; set use_peft: true to train an adapter on them`,
  );
}

/** Loads the model with what trains marked. */
export async function loadPolicy(
  gpu: Gpu,
  config: TrainingConfig,
  { checkpoint, onProgress }: PolicyOptions = {},
): Promise<Model> {
  const start = config.use_peft ? config.model_name_or_path : (checkpoint ?? config.model_name_or_path);
  // What a checkpoint of ours has is stored as it was on the device.
  const dtype = start === checkpoint ? 'auto' : weightDtype(config);
  const quantized = { quantization: quantization(config) };
  const model = await loadModel(gpu, start, { dtype, ...quantized, ...(onProgress ? { onProgress } : {}) });
  try {
    checkTrainable(config, model);
    if (config.use_peft) {
      const adapter = checkpoint ?? config.adapter_name_or_path;
      if (adapter !== null) await loadAdapter(model, adapter);
      else newAdapter(model, config);
    }
    selectTrainable(config, model);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The policy without its weights, on a device that only counts: for plans. */
export function policyOnPaper(gpu: Rehearsal, config: TrainingConfig, modelConfig: ModelConfig): Model {
  const model = new Model(gpu, modelConfig, frozenOnPaper(gpu, config, modelConfig));
  if (config.use_peft) {
    const settings = loraSettings(config, modelConfig);
    adapterOf(model, settings, { adaptVision: adaptsVision(config) }, () => {});
  }
  selectTrainable(config, model);
  return model;
}

/** The starting weights, on a device that only counts. */
export function frozenOnPaper(gpu: Rehearsal, config: TrainingConfig, modelConfig: ModelConfig): Parameters {
  return weightsOnPaper(gpu, modelConfig, weightDtype(config), quantization(config));
}

/** A second copy of the starting weights that stays as it is: the reference of RL with full fine-tuning. */
export async function loadReference(gpu: Gpu, config: TrainingConfig): Promise<Model> {
  const model = await loadModel(gpu, config.model_name_or_path, {
    dtype: weightDtype(config),
    quantization: quantization(config),
  });
  try {
    if (config.adapter_name_or_path !== null) {
      const adapter = await loadAdapter(model, config.adapter_name_or_path);
      // What is in blocks cannot take it up: it stays beside.
      if (model.isQuantised) adapter.parameters.train(() => false);
      else adapter.merge();
    }
    model.train(() => false);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function newAdapter(model: Model, config: TrainingConfig): void {
  createAdapter(model, loraSettings(config, model.config), {
    seed: config.seed,
    adaptVision: adaptsVision(config),
  });
}

/** Whether any layer of what sees gets an adapter. */
export function adaptsVision(config: TrainingConfig): boolean {
  const { visionTower, merger } = frozenParts(config);
  return !visionTower || !merger;
}

/** What is kept of a frozen tower's features. */
export function featureCacheOptions(config: TrainingConfig): FeatureCacheOptions {
  return { place: config.vision_cache_device, bytes: config.vision_cache_gib * 2 ** 30 };
}

/** The config's adapter in the terms of PEFT; frozen parts are excluded by their path. */
export function loraSettings(config: TrainingConfig, { names, vision }: ModelConfig): Partial<LoraConfig> {
  const frozen = frozenParts(config);
  const seeing = vision !== null && adaptsVision(config);
  const excluded = [
    ...(seeing && frozen.visionTower ? [names.modules.vision_tower] : []),
    ...(seeing && frozen.merger ? [names.modules.merger] : []),
    ...(frozen.languageModel ? [names.modules.language_model] : []),
  ];
  return {
    rank: config.lora_r,
    rankPattern: config.lora_rank_pattern,
    alphaPattern: config.lora_alpha_pattern,
    alpha: config.lora_alpha,
    dropout: config.lora_dropout,
    targets: config.lora_target_modules,
    rsLora: config.use_rslora,
    modulesToSave: config.lora_modules_to_save,
    baseModel: config.model_name_or_path,
    exclude: joined([
      ...(excluded.length === 0 ? [] : [`(.*\\.)?(${excluded.join('|')})`]),
      ...(config.lora_attention ? [] : [ATTENTION]),
      ...(config.lora_mlp ? [] : [MLP]),
      ...(config.lora_exclude_modules === null ? [] : [config.lora_exclude_modules]),
    ]),
  };
}

/** Paths of layers of attention, and of MLPs. */
const ATTENTION = '(.*\\.)?\\w*attn\\..*';
const MLP = '(.*\\.)?mlp\\..*';

/** Several selectors as one; a single one stays as it is. */
function joined(selectors: readonly (string | readonly string[])[]): string | readonly string[] | null {
  if (selectors.length < 2) return selectors[0] ?? null;
  const names = (list: readonly string[]) =>
    list.map((name) => `(.*\\.)?${name.replaceAll('.', '\\.')}`).join('|');
  const each = selectors.map((selector) => (typeof selector === 'string' ? selector : names(selector)));
  return `(${each.join('|')})`;
}
