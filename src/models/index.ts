/** Models: configs, weights, packed batches, forward passes, adapters, random checkpoints, parity with references. */
export { DeviceBatch } from './batch.js';
export {
  FAMILIES,
  type Family,
  type ModelConfig,
  parseConfig,
  type StoredDtype,
  type TextConfig,
  type TokenIds,
} from './config.js';
export type { Grid } from './grid.js';
export { ARCHITECTURES, architecture, type InitOptions, initModel } from './init/init.js';
export { type ParameterSpec, parameterCount, parameterSpecs } from './inventory.js';
export { type LoadOptions, loadConfig, loadModel } from './load.js';
export type { LoadProgress, WeightDtype } from './load-weights.js';
export { Adapter, type CreateAdapterOptions, createAdapter, type DropoutStep } from './lora/adapter.js';
export { LORA_DEFAULTS, type LoraConfig } from './lora/config.js';
export { loadAdapter, saveAdapter } from './lora/disk.js';
export { type EncodedImages, Model, type PassOptions } from './model.js';
export { canonicalName, isVision, memoryName } from './names.js';
export {
  type PackedBatch,
  type PackedCompletion,
  type PackedGroups,
  packGroups,
  packSequences,
  type Sequence,
  type SequenceGroup,
} from './packing.js';
export { type SequencePositions, sequencePositions } from './positions.js';
export { type SaveOptions, saveModel } from './save.js';
export type { VisionConfig } from './vision-config.js';
