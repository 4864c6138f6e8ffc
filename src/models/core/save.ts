/** Saving a model in the Hugging Face layout: config.json and safetensors under the published names. */
import { writeCheckpoint } from '../../formats/checkpoint-writer.js';
import { asBytes, type Dtype, type FloatDtype, fromF32 } from '../../formats/dtypes.js';
import type { TensorSource } from '../../formats/writer.js';
import { part } from '../../kernels/support.js';
import { writeTextFiles } from '../../platform/files.js';
import { bytesOf, decode, formatOf, fromTorch, type Tensor, type TorchFloat } from '../../tensor/index.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';

/** Options of {@link saveModel}. */
export interface SaveOptions {
  /** Dtype of the files; that of the config by default. */
  readonly dtype?: TorchFloat;
  readonly maxShardBytes?: number;
  /** Further files by name, such as the tokenizer's. */
  readonly files?: Readonly<Record<string, string>>;
}

const CHUNK_BYTES = 16 * 1024 * 1024;

/** Writes weights and config.json into a folder. */
export async function saveModel(
  dir: string,
  config: ModelConfig,
  weights: Iterable<readonly [string, Tensor]>,
  options: SaveOptions = {},
): Promise<void> {
  const dtype = options.dtype ?? config.dtype;
  const { file } = formatOf(fromTorch(dtype));
  const sources = [...weights].map(([name, tensor]) => tensorSource(name, tensor, file));
  await writeCheckpoint(dir, sources, { maxShardBytes: options.maxShardBytes });
  const { torch_dtype: _, ...raw } = config.raw;
  const text = `${JSON.stringify({ ...raw, dtype }, null, 2)}\n`;
  await writeTextFiles(dir, { ...options.files, 'config.json': text });
}

/** A device tensor as something to write, read back in pieces; floats are converted to the file's dtype, their own by default. */
export function tensorSource(
  name: string,
  tensor: Tensor,
  dtype: Dtype | null = formatOf(tensor.dtype).file,
): TensorSource {
  if (dtype === null || formatOf(tensor.dtype).file === null)
    throw modelError(
      `weight "${name}"`,
      `is in ${tensor.dtype}; only plain numbers are written from the device`,
    );
  return { name, dtype, shape: tensor.shape, data: () => pieces(tensor, dtype) };
}

async function* pieces(tensor: Tensor, dtype: Dtype): AsyncGenerator<Uint8Array> {
  const { file, host } = formatOf(tensor.dtype);
  // An even number of elements, so that packed pieces begin on a word.
  const most = CHUNK_BYTES / bytesOf(tensor.dtype, 1);
  for (let first = 0; first < tensor.size; first += most) {
    const count = Math.min(most, tensor.size - first);
    const bytes = await tensor.gpu.read(part(tensor, first, count).range);
    if (file === dtype) yield new Uint8Array(bytes);
    else yield asBytes(fromF32(decode(new host(bytes), tensor.dtype), dtype as FloatDtype));
  }
}
