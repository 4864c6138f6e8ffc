/**
 * The engine without a machine below it: devices, tensors, differentiable ops, models, generation and the trainers, for Node
 * and browsers alike. Whoever imports it hands it the machine, once, with {@link setPlatform}, and opens a device with
 * {@link Gpu.open}. The entry `osler` is this one with Node's platform.
 */
export * from './autograd/index.js';
export type { Box } from './data/answers/boxes.js';
export type { BoxesAnswer, NumberAnswer, OpenAnswer, ReportAnswer, TextAnswer } from './data/answers/open.js';
// What the signatures above speak of besides.
export type { Conversation } from './data/conversation.js';
export type { EmbeddedImage, ImageSource, Question, Source } from './data/question.js';
export type { Sample } from './data/readers/schemas.js';
export type { PackedScheme } from './formats/packed.js';
export * from './generate/index.js';
export * from './gpu/index.js';
export type { Value } from './gpu/wgsl/expression.js';
export { type GrpoConfig, type GrpoEnvironment, makeGrpoTask, parseGrpoConfig } from './grpo/index.js';
export type { SamplingOptions } from './kernels/sampling.js';
export { FeatureCache, type FeatureCacheOptions, type FeatureCounts } from './models/core/features.js';
export type { JsonObject } from './models/core/json-fields.js';
export type { LoadWeightsOptions } from './models/core/load-weights.js';
export type { ModuleSelector } from './models/core/lora/config.js';
export type { ImagePatches } from './models/core/patches.js';
export type { Quantization } from './models/core/quantization.js';
export {
  ARCHITECTURES,
  type AttentionRule,
  type CreateAdapterOptions,
  createAdapter,
  DeviceBatch,
  type EncodedImages,
  type Grid,
  type InitOptions,
  initModel,
  LORA_DEFAULTS,
  type LoadOptions,
  type LoadProgress,
  type LoraConfig,
  loadAdapter,
  loadConfig,
  loadModel,
  Model,
  type ModelConfig,
  type PackedBatch,
  type PackedCompletion,
  type PackedGroups,
  type PassOptions,
  type PictureText,
  packGroups,
  packSequences,
  type SaveOptions,
  type Sequence,
  type SequenceGroup,
  saveAdapter,
  saveModel,
  type TextConfig,
  type TokenIds,
  type VisionConfig,
  type WeightDtype,
} from './models/index.js';
export type { DropoutStep } from './nn/linear.js';
export type { Parameters } from './nn/parameters.js';
export * from './optim/index.js';
export type { AdapterMemory } from './platform/cards.js';
export { type Platform, setPlatform } from './platform/current.js';
export { FileError, PlaceError } from './platform/errors.js';
export { MemoryFiles } from './platform/memory-files.js';
export type * from './platform/ports/cards.js';
export type * from './platform/ports/files.js';
export * from './platform/ports/helpers.js';
export * from './platform/ports/pictures.js';
export * from './platform/ports/tables.js';
export type {
  BatchedUserReward,
  ImportModule,
  UserReward,
  UserRewardInput,
  UserRewardLog,
  UserRewardOutput,
} from './rollout/rewards/index.js';
export { makeSftTask, parseSftConfig, type SftConfig } from './sft/index.js';
export * from './tensor/index.js';
export {
  type EncodeTextOptions,
  type ImagePart,
  loadTokenizer,
  type Merge,
  type Message,
  type MessagePart,
  type ReadFile,
  type TextPart,
  Tokenizer,
  type TokenizerOptions,
  Vocabulary,
} from './text/index.js';
export type { ConfigSource } from './train/config/index.js';
export type {
  CheckpointEvent,
  ProgressEvent,
  RunStart,
  StepEvent,
  TrainingListener,
  TrainingResult,
} from './train/events.js';

export { launchTraining, type TrainingOptions } from './train/launch.js';
export type { Console } from './train/progress.js';
export type { Metrics, StepPart } from './train/task.js';
export type { BestCheckpoint } from './train/trainer-state.js';
export type { ImageConfig } from './vision/config.js';
export type { Size } from './vision/image.js';
export type { PanAndScan } from './vision/pan-and-scan.js';
export type { Filter } from './vision/resample.js';
