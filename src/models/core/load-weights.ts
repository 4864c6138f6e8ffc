/**
 * Weights from file to GPU. One chunk of a tensor is in host memory at a time: it is read, converted where the storage
 * differs from the file, and written to the tensor's place on the device.
 */

import type { QuantisedWeight } from '../../formats/blocks.js';
import type { Checkpoint } from '../../formats/checkpoint.js';
import { asBytes, dtypeBytes, type FloatDtype, floatOf, fromF32, toF32 } from '../../formats/dtypes.js';
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
  type Tensor,
  type WeightFormat,
} from '../../tensor/index.js';
import type { ModelConfig } from './config.js';
import { parameterSpecs } from './inventory.js';
import { checkBlocks, isQuantisable, type Quantization, quantizationOf } from './quantization.js';
import { ParameterRooms } from './rooms.js';
import { type StoredWeight, storedWeights } from './stored-weights.js';

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
  const { weights, warnings } = await storedWeights(checkpoint, config);
  const formats = new Map(
    weights.map((weight) => [weight.spec.name, formatOnDevice(checkpoint, weight, config, options)]),
  );
  // Forward order for whoever iterates; disk order for reading.
  const specs = parameterSpecs(config);
  const rooms = new ParameterRooms(gpu, specs, ({ name }) => formats.get(name) as WeightFormat);
  const bytesTotal = weights.reduce((sum, { tensor }) => sum + checkpoint.info(tensor).bytes, 0);
  const loaded = new Map<string, Tensor>();
  let bytesDone = 0;
  let unsynced = 0;
  try {
    for (const weight of weights) {
      const target = rooms.take(weight.spec);
      loaded.set(weight.spec.name, target);
      for await (const bytes of filling(checkpoint, weight, target, options)) {
        bytesDone += bytes;
        unsynced += bytes;
        if (unsynced >= UPLOAD_BYTES) {
          await gpu.sync();
          unsynced = 0;
        }
        options.onProgress?.({ tensor: weight.tensor, bytesDone, bytesTotal });
      }
    }
    await gpu.sync();
  } catch (error) {
    for (const held of [rooms, ...loaded.values()]) held.dispose();
    throw error;
  }
  const parameters = new Parameters();
  for (const { name } of specs) parameters.set(name, loaded.get(name) as Tensor);
  return { parameters, warnings };
}

/** The format that a weight of the file gets on the device. */
function formatOnDevice(
  checkpoint: Checkpoint,
  { spec, tensor, stored }: StoredWeight,
  config: ModelConfig,
  { dtype = 'auto', quantization }: LoadWeightsOptions,
): WeightFormat {
  if (typeof stored !== 'string') return stored.format;
  if (quantization && isQuantisable(spec, config.names, quantization)) {
    checkBlocks(spec, checkpoint.info(tensor).file);
    return 'nf4';
  }
  return dtype === 'auto' ? floatOf(stored) : dtype;
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
      ? quantization.packed
        ? 'int4'
        : 'nf4'
      : float,
  );
  for (const spec of specs) parameters.set(spec.name, rooms.take(spec));
  return parameters;
}

/** Streams a weight into its place, as it is stored there; yields the file bytes of each step. */
export function filling(
  checkpoint: Checkpoint,
  { tensor, stored }: Pick<StoredWeight, 'tensor' | 'stored'>,
  target: Tensor,
  { chunkBytes = CHUNK_BYTES, quantization }: LoadWeightsOptions = {},
): AsyncGenerator<number> {
  if (typeof stored !== 'string') return fillBlocks(stored, target, chunkBytes);
  if (target.dtype !== 'nf4') return fill(checkpoint, tensor, target, chunkBytes);
  return quantising(checkpoint, tensor, target, chunkBytes, quantization?.doubleQuant ?? false);
}

async function* fillBlocks(
  weight: QuantisedWeight,
  target: Tensor,
  chunkBytes: number,
): AsyncGenerator<number> {
  const segments = target.segments();
  for await (const { segment, offset, bytes, read } of weight.pieces(chunkBytes)) {
    const { range } = segments[segment];
    target.gpu.write({ ...range, offset: range.offset + offset, size: bytes.byteLength }, bytes);
    yield read;
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
