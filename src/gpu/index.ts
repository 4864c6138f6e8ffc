/** The device layer: adapter choice, memory pool, pipelines, command batches, profiling. Runs in Node and browsers. */
export {
  type AdapterInfo,
  type Candidate,
  type MatrixConfig,
  requestAdapter,
  TIERS,
  type Tier,
} from './adapter.js';
export { check, type ErrorCode, OslerError } from './errors.js';
export { type Bindable, Gpu, type LaunchOptions, type OpenOptions } from './gpu.js';
export type { BufferRange } from './pipelines.js';
export { type MemoryReport, type PoolBuffer, PURPOSES, type Purpose } from './pool.js';
export { chromeTrace, type ProfileEvent, summarise } from './profile.js';
export type { Recording } from './recording.js';
export { ANY_GPU, type DeviceTraits, Rehearsal } from './rehearsal.js';
export type { Template } from './template.js';
export type { Defines } from './wgsl/defines.js';
export type { ShaderSource } from './wgsl/source.js';
