/** Models: configs, weights, packed batches, forward passes, adapters, random checkpoints, parity with references. */
export { DeviceBatch } from './core/batch.js';
export type { ParameterSpec } from './core/builder.js';
export type { AttentionRule, ModelConfig, PictureText, TextConfig, TokenIds } from './core/config.js';
export { FAMILIES, type Family } from './core/family.js';
export { type Grid, gridPatches, gridTokens, patchValues, type VisionConfig } from './core/grid.js';
export { parameterCount, parameterSpecs } from './core/inventory.js';
export { type LoadProgress, type WeightDtype, weightsOnPaper } from './core/load-weights.js';
export {
  Adapter,
  adapterOf,
  type CreateAdapterOptions,
  createAdapter,
} from './core/lora/adapter.js';
export { LORA_DEFAULTS, type LoraConfig } from './core/lora/config.js';
export { loadAdapter, saveAdapter } from './core/lora/disk.js';
export { type EncodedImages, Model, type PassOptions } from './core/model.js';
export { isVision, type ModelPart, namesVision, type WeightNames } from './core/names.js';
export {
  type PackedBatch,
  type PackedCompletion,
  type PackedGroups,
  packGroups,
  packSequences,
  type Sequence,
  type SequenceGroup,
} from './core/packing.js';
export type { SequencePositions } from './core/positions.js';
export {
  isQuantisable,
  type Quantization,
  quantizationJson,
  quantizationOf,
} from './core/quantization.js';
export { type SaveOptions, saveModel } from './core/save.js';
export { ARCHITECTURES, architecture, type InitOptions, initModel } from './init/init.js';
export { type LoadOptions, loadConfig, loadModel } from './load.js';
export { parseConfig } from './registry.js';
