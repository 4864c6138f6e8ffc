/**
 * Weights from file to GPU. One chunk of a tensor is in host memory at a time: it is read, converted where the storage
 * differs from the file, and written to the tensor's place on the device.
 */

import {
  describedWeight,
  isQuantised,
  type QuantisedWeight,
  quantisedWeight,
} from '../../formats/bitsandbytes.js';
import type { Checkpoint } from '../../formats/checkpoint.js';
import {
  asBytes,
  dtypeBytes,
  type FloatDtype,
  floatOf,
  fromF32,
  isFloatDtype,
  toF32,
} from '../../formats/dtypes.js';
import type { Gpu } from '../../gpu/index.js';
import { part } from '../../kernels/support.js';
import { Parameters } from '../../nn/parameters.js';
import {
  compressScales,
  expandScales,
  type FloatDType,
  formatOf,
  fromTorch,
  NF4_BLOCK,
  numel,
  quantizeNf4,
  type Shape,
  sameShape,
  showShape,
  type Tensor,
  type WeightFormat,
} from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import { parameterSpecs } from './inventory.js';
import type { WeightNames } from './names.js';
import { checkBlocks, isQuantisable, type Quantization, quantizationOf } from './quantization.js';
import { ParameterRooms } from './rooms.js';

/** How matrices are stored on the device; `auto` keeps what the file has. Norms and biases are always f32. */
export type WeightDtype = 'auto' | FloatDType;

/** How far loading is. */
export interface LoadProgress {
  readonly tensor: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** How weights are loaded. */
export interface LoadWeightsOptions {
  /** Of weights that are not quantised. */
  readonly dtype?: WeightDtype;
  /** Quantises the linear layers that are not yet, tensor by tensor. */
  readonly quantization?: Quantization | null;
  /** Bytes of a tensor that are in host memory at once. */
  readonly chunkBytes?: number;
  /** Called as tensors arrive. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** Uploads that the driver may hold in staging memory before we wait for them. */
const UPLOAD_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 16 * 1024 * 1024;

/** Weights, and what was odd about the files. */
export interface LoadedWeights {
  readonly parameters: Parameters;
  readonly warnings: readonly string[];
}

/** Loads a model's weights from a checkpoint in any name layout. */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  config: ModelConfig,
  options: LoadWeightsOptions = {},
): Promise<LoadedWeights> {
  const specs = parameterSpecs(config);
  const { names, unused } = matchNames(checkpoint, config.names, specs);
  const warnings = [...checkpoint.warnings];
  if (unused.length > 0) warnings.push(`${checkpoint.path}: unused tensors: ${listed(unused)}`);
  const parameters = new Parameters();
  // Forward order for whoever iterates; disk order for reading.
  const order = new Map(checkpoint.names().map((name, i) => [name, i]));
  const bySpec = new Map(specs.map((spec) => [spec.name, spec]));
  const plan = [...names].sort((a, b) => (order.get(a[1]) ?? 0) - (order.get(b[1]) ?? 0));
  const quantised = await quantisedWeights(checkpoint, names, bySpec);
  const bytesTotal = plan.reduce((sum, [, file]) => sum + checkpoint.info(file).bytes, 0);
  const rooms = new ParameterRooms(gpu, specs, (spec) =>
    quantised.has(spec.name)
      ? 'nf4'
      : storedAs(checkpoint, names.get(spec.name) as string, spec, config, options),
  );
  const loaded = new Map<string, Tensor>();
  let bytesDone = 0;
  let unsynced = 0;
  try {
    for (const [name, file] of plan) {
      const spec = bySpec.get(name) as ParameterSpec;
      const target = rooms.take(spec);
      loaded.set(name, target);
      const chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
      for await (const bytes of filling(checkpoint, file, target, chunkBytes, quantised.get(name), options)) {
        bytesDone += bytes;
        unsynced += bytes;
        if (unsynced >= UPLOAD_BYTES) {
          await gpu.sync();
          unsynced = 0;
        }
        options.onProgress?.({ tensor: file, bytesDone, bytesTotal });
      }
    }
    await gpu.sync();
  } catch (error) {
    for (const held of [rooms, ...loaded.values()]) held.dispose();
    throw error;
  }
  for (const { name } of specs) parameters.set(name, loaded.get(name) as Tensor);
  return { parameters, warnings };
}

/** File names of the wanted tensors by canonical name. */
function matchNames(
  checkpoint: Checkpoint,
  { canonical, head }: WeightNames,
  specs: readonly ParameterSpec[],
): { names: Map<string, string>; unused: string[] } {
  const wanted = new Set(specs.map(({ name }) => name));
  const names = new Map<string, string>();
  const unused: string[] = [];
  for (const file of checkpoint.names()) {
    if (describedWeight(checkpoint, file) !== null) continue;
    const name = canonical(file);
    if (name === null || !wanted.has(name)) {
      // A tied head may be stored all the same, and rotary tables follow from the config.
      const expected = name === head || file.endsWith('rotary_emb.inv_freq');
      if (!expected) unused.push(file);
      continue;
    }
    const other = names.get(name);
    if (other)
      throw modelError(checkpoint.path, `has both "${other}" and "${file}", two names of one weight`);
    names.set(name, file);
  }
  const missing = [...wanted].filter((name) => !names.has(name));
  if (missing.length > 0) {
    const hint = missing.includes(head)
      ? '; set "tie_word_embeddings": true in config.json if the embedding is the head'
      : '; do config.json and the weights belong together?';
    throw modelError(checkpoint.path, `lacks ${listed(missing)}${hint}`);
  }
  return { names, unused };
}

/** What files have quantised already, by parameter; all of it is checked before anything is loaded. */
async function quantisedWeights(
  checkpoint: Checkpoint,
  names: ReadonlyMap<string, string>,
  specs: ReadonlyMap<string, ParameterSpec>,
): Promise<Map<string, QuantisedWeight>> {
  const found = new Map<string, QuantisedWeight>();
  for (const [name, file] of names) {
    if (!isQuantised(checkpoint, file)) continue;
    const spec = specs.get(name) as ParameterSpec;
    const weight = await quantisedWeight(checkpoint, file);
    checkShape(checkpoint, file, weight.shape, spec);
    if (spec.role !== 'linear') {
      throw modelError(
        `${checkpoint.info(file).file}: tensor "${file}"`,
        'is quantised; linear layers alone may be, without the output head',
      );
    }
    found.set(name, weight);
  }
  return found;
}

function checkShape(checkpoint: Checkpoint, file: string, shape: Shape, spec: ParameterSpec): void {
  if (sameShape(shape, spec.shape)) return;
  const expected = `but config.json makes it ${showShape(spec.shape)}`;
  throw modelError(
    `${checkpoint.info(file).file}: tensor "${file}"`,
    `has shape ${showShape(shape)}, ${expected}`,
  );
}

/** The format that a tensor of the file gets on the device. */
function storedAs(
  checkpoint: Checkpoint,
  file: string,
  spec: ParameterSpec,
  config: ModelConfig,
  { dtype = 'auto', quantization }: LoadWeightsOptions,
): WeightFormat {
  const info = checkpoint.info(file);
  checkShape(checkpoint, file, info.shape, spec);
  if (!isFloatDtype(info.dtype)) {
    const known = 'BF16, F16, F32 and F64 can be loaded';
    throw modelError(`${info.file}: tensor "${file}"`, `has dtype ${info.dtype}; ${known}`);
  }
  if (quantization && isQuantisable(spec, config.names, quantization)) {
    checkBlocks(spec, info.file);
    return 'nf4';
  }
  return dtype === 'auto' ? floatOf(info.dtype) : dtype;
}

/** Room for the weights that would be loaded, with nothing in it: for plans, and for whoever fills it in another way. */
export function weightsOnPaper(
  gpu: Gpu,
  config: ModelConfig,
  dtype: WeightDtype,
  quantization: Quantization | null = quantizationOf(config, 'config.json'),
): Parameters {
  const parameters = new Parameters();
  const specs = parameterSpecs(config);
  const float = dtype === 'auto' ? fromTorch(config.dtype) : dtype;
  const rooms = new ParameterRooms(gpu, specs, (spec) =>
    quantization && isQuantisable(spec, config.names, quantization) && numel(spec.shape) % NF4_BLOCK === 0
      ? 'nf4'
      : float,
  );
  for (const spec of specs) parameters.set(spec.name, rooms.take(spec));
  return parameters;
}

/** Streams a weight into its place, as it is stored there. */
function filling(
  checkpoint: Checkpoint,
  file: string,
  target: Tensor,
  chunkBytes: number,
  quantised: QuantisedWeight | undefined,
  { quantization }: LoadWeightsOptions,
): AsyncGenerator<number> {
  if (quantised) return fillBlocks(checkpoint, file, target, chunkBytes, quantised);
  if (target.dtype !== 'nf4') return fill(checkpoint, file, target, chunkBytes);
  return quantising(checkpoint, file, target, chunkBytes, quantization?.doubleQuant ?? false);
}

/** Codes go to the device as the file has them. */
async function* fillBlocks(
  checkpoint: Checkpoint,
  file: string,
  target: Tensor,
  chunkBytes: number,
  weight: QuantisedWeight,
): AsyncGenerator<number> {
  const [codes, absmax] = target.segments();
  target.gpu.write(absmax.range, await weight.scales());
  let done = 0;
  for await (const chunk of checkpoint.chunks(file, chunkBytes)) {
    target.gpu.write({ ...codes.range, offset: codes.range.offset + done, size: chunk.byteLength }, chunk);
    done += chunk.byteLength;
    yield chunk.byteLength;
  }
}

/** Numbers are quantised as they come; only magnitudes wait for the last of them. */
async function* quantising(
  checkpoint: Checkpoint,
  file: string,
  target: Tensor,
  chunkBytes: number,
  doubleQuant: boolean,
): AsyncGenerator<number> {
  const from = checkpoint.info(file).dtype as FloatDtype;
  const [codes, absmax] = target.segments();
  const blockBytes = NF4_BLOCK * dtypeBytes(from);
  const scales = new Float32Array(target.size / NF4_BLOCK);
  let block = 0;
  const whole = Math.max(blockBytes, chunkBytes - (chunkBytes % blockBytes));
  for await (const chunk of checkpoint.chunks(file, whole)) {
    const made = quantizeNf4(toF32(chunk, from));
    const offset = codes.range.offset + (block * NF4_BLOCK) / 2;
    target.gpu.write({ ...codes.range, offset, size: made.codes.byteLength }, made.codes);
    scales.set(made.absmax, block);
    block += made.absmax.length;
    yield chunk.byteLength;
  }
  target.gpu.write(absmax.range, doubleQuant ? expandScales(compressScales(scales)) : scales);
}

/** Streams a file tensor into a device tensor; yields the file bytes of each step. */
export async function* fill(
  checkpoint: Checkpoint,
  file: string,
  target: Tensor,
  chunkBytes: number = CHUNK_BYTES,
): AsyncGenerator<number> {
  const from = checkpoint.info(file).dtype as FloatDtype;
  const to = formatOf(target.dtype as FloatDType).file;
  let element = 0;
  for await (const chunk of checkpoint.chunks(file, chunkBytes)) {
    const count = chunk.byteLength / dtypeBytes(from);
    const bytes = from === to ? chunk : asBytes(fromF32(toF32(chunk, from), to));
    target.gpu.write(part(target, element, count).range, bytes);
    element += count;
    yield chunk.byteLength;
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
