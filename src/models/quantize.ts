/**
 * A checkpoint with its linear layers in NF4, as bitsandbytes and transformers write it. Without a GPU: weights pass through a
 * chunk at a time, once for their magnitudes and once for their codes.
 */
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.js';
import { writeCheckpoint } from '../formats/checkpoint-writer.js';
import { asBytes, type FloatDtype, floatOf, toF32 } from '../formats/dtypes.js';
import type { TensorSource } from '../formats/writer.js';
import { writeTextFiles } from '../platform/files.js';
import { compressScales, formatOf, NF4_BLOCK, NF4_LEVELS, numel, quantizeNf4 } from '../tensor/index.js';
import { modelError } from './core/errors.js';
import { checkBlocks, isQuantisable, type Quantization, quantizationJson } from './core/quantization.js';
import { type StoredWeight, storedWeights } from './core/stored-weights.js';
import { loadConfig } from './load.js';
import { copyOthers } from './other-files.js';

/** Options of {@link quantizeModel}. */
export interface QuantizeOptions extends Quantization {
  readonly maxShardBytes?: number;
  /** Called as weights are looked at. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
}

/** What {@link quantizeModel} wrote. */
export interface QuantizedModel {
  /** Quantised weights, and all others. */
  readonly quantised: number;
  readonly kept: number;
  /** Of all tensors, before and after. */
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/** Whole blocks of any dtype. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** Quantises the model in folder `from` into the folder `to`, with all other files of it. */
export async function quantizeModel(
  from: string,
  to: string,
  options: QuantizeOptions,
): Promise<QuantizedModel> {
  const config = await loadConfig(from);
  if (config.raw.quantization_config !== undefined) {
    throw modelError(`${from}/config.json`, 'has a quantization_config: the model is quantised already');
  }
  const checkpoint = await openCheckpoint(from);
  try {
    const { weights, warnings } = await storedWeights(checkpoint, config);
    const chosen = weights.filter(({ spec }) => isQuantisable(spec, config.names, options));
    if (chosen.length === 0) throw modelError(from, 'has no linear layer that is not skipped');
    for (const { spec, tensor } of chosen) checkBlocks(spec, checkpoint.info(tensor).file);
    const bytesBefore = checkpoint.totalBytes();
    const bytesTotal = 2 * chosen.reduce((sum, { tensor }) => sum + checkpoint.info(tensor).bytes, 0);
    let bytesDone = 0;
    const read = (bytes: number) => {
      bytesDone += bytes;
      options.onProgress?.(bytesDone, bytesTotal);
    };
    const names = new Set(chosen.map(({ tensor }) => tensor));
    const kept = checkpoint.names().filter((name) => !names.has(name));
    const sources = kept.map((name) => copied(checkpoint, name));
    for (const weight of chosen) {
      sources.push(...(await quantisedSources(checkpoint, weight, options.doubleQuant, read)));
    }
    // transformers leaves the output head alone only if it is told to, where there is a list of what to leave alone.
    const head = config.names.memory(config.names.head).replace(/\.weight$/, '');
    const skip = [...new Set([head, ...options.skip])];
    const raw = {
      ...config.raw,
      quantization_config: quantizationJson({ ...options, skip }, config.dtype),
    };
    const { totalBytes: bytes } = await writeCheckpoint(to, sources, {
      maxShardBytes: options.maxShardBytes,
    });
    await copyOthers(from, to);
    await writeTextFiles(to, { 'config.json': `${JSON.stringify(raw, null, 2)}\n` });
    return { quantised: chosen.length, kept: weights.length - chosen.length, bytesBefore, bytes, warnings };
  } finally {
    await checkpoint.close();
  }
}

function copied(checkpoint: Checkpoint, name: string): TensorSource {
  const { dtype, shape } = checkpoint.info(name);
  return { name, dtype, shape, data: () => checkpoint.chunks(name, CHUNK_BYTES) };
}

/** The tensors of a weight; its magnitudes are found here, its codes when they are written. */
async function quantisedSources(
  checkpoint: Checkpoint,
  { spec, tensor, stored }: StoredWeight,
  doubleQuant: boolean,
  read: (bytes: number) => void,
): Promise<TensorSource[]> {
  const elements = numel(spec.shape);
  const scales = new Float32Array(elements / NF4_BLOCK);
  let block = 0;
  for await (const { absmax } of quantising(checkpoint, tensor, stored as FloatDtype, read)) {
    scales.set(absmax, block);
    block += absmax.length;
  }
  const codes: TensorSource = {
    name: tensor,
    dtype: 'U8',
    shape: [elements / 2, 1],
    data: async function* () {
      for await (const made of quantising(checkpoint, tensor, stored as FloatDtype, read)) yield made.codes;
    },
  };
  const beside = (name: string, values: Float32Array | Uint8Array): TensorSource => ({
    name: `${tensor}.${name}`,
    dtype: values instanceof Uint8Array ? 'U8' : 'F32',
    shape: [values.length],
    data: () => asBytes(values),
  });
  const compressed = doubleQuant ? compressScales(scales) : null;
  const state = {
    quant_type: 'nf4',
    blocksize: NF4_BLOCK,
    dtype: formatOf(floatOf(stored as FloatDtype)).torch,
    shape: spec.shape,
    ...(compressed && {
      nested_blocksize: compressed.block,
      nested_dtype: 'float32',
      nested_offset: compressed.offset,
    }),
  };
  return [
    codes,
    beside('absmax', compressed?.codes ?? scales),
    beside('quant_map', Float32Array.from(NF4_LEVELS)),
    ...(compressed
      ? [beside('nested_absmax', compressed.absmax), beside('nested_quant_map', compressed.table)]
      : []),
    beside('quant_state.bitsandbytes__nf4', new TextEncoder().encode(pythonJson(state))),
  ];
}

async function* quantising(
  checkpoint: Checkpoint,
  tensor: string,
  dtype: FloatDtype,
  read: (bytes: number) => void,
): AsyncGenerator<ReturnType<typeof quantizeNf4>> {
  for await (const chunk of checkpoint.chunks(tensor, CHUNK_BYTES)) {
    yield quantizeNf4(toF32(chunk, dtype));
    read(chunk.byteLength);
  }
}

/** As Python's json module writes it. */
function pythonJson(state: Readonly<Record<string, unknown>>): string {
  const list = (value: unknown) => (Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value));
  return `{${Object.entries(state)
    .map(([key, value]) => `${JSON.stringify(key)}: ${list(value)}`)
    .join(', ')}}`;
}
