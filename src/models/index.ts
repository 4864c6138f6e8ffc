/** Models: configs, weights, packed batches, forward passes, adapters, random checkpoints, parity with references. */
export { DeviceBatch } from './core/batch.js';
export {
  FAMILIES,
  type Family,
  type ModelConfig,
  parseConfig,
  type StoredDtype,
  type TextConfig,
  type TokenIds,
} from './core/config.js';
export type { Grid } from './core/grid.js';
export { type ParameterSpec, parameterCount, parameterSpecs } from './core/inventory.js';
export { type LoadOptions, loadConfig, loadModel } from './core/load.js';
export { type LoadProgress, type WeightDtype, weightsOnPaper } from './core/load-weights.js';
export {
  Adapter,
  adapterOf,
  type CreateAdapterOptions,
  createAdapter,
  type DropoutStep,
} from './core/lora/adapter.js';
export { LORA_DEFAULTS, type LoraConfig } from './core/lora/config.js';
export { loadAdapter, saveAdapter } from './core/lora/disk.js';
export { type EncodedImages, Model, type PassOptions } from './core/model.js';
export { canonicalName, isVision, memoryName } from './core/names.js';
export {
  type PackedBatch,
  type PackedCompletion,
  type PackedGroups,
  packGroups,
  packSequences,
  type Sequence,
  type SequenceGroup,
} from './core/packing.js';
export { type SequencePositions, sequencePositions } from './core/positions.js';
export { type SaveOptions, saveModel } from './core/save.js';
export type { VisionConfig } from './families/qwen-vl/vision-config.js';
export { ARCHITECTURES, architecture, type InitOptions, initModel } from './init/init.js';
