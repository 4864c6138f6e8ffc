/** Saving a model in the Hugging Face layout: config.json and safetensors under the published names. */
import { writeCheckpoint } from '../../formats/checkpoint-writer.js';
import { asBytes, type FloatDtype, fromF32 } from '../../formats/dtypes.js';
import type { TensorSource } from '../../formats/writer.js';
import { part } from '../../kernels/support.js';
import { writeTextFiles } from '../../platform/files.js';
import { decode, elementBytes, type HostArray, type Tensor } from '../../tensor/index.js';
import type { ModelConfig, StoredDtype } from './config.js';

/** Options of {@link saveModel}. */
export interface SaveOptions {
  /** Dtype of the files; that of the config by default. */
  readonly dtype?: StoredDtype;
  readonly maxShardBytes?: number;
  /** Further files by name, such as the tokenizer's. */
  readonly files?: Readonly<Record<string, string>>;
}

const FILE_DTYPES = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;
const HOST_DTYPES = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const;
const CHUNK_BYTES = 16 * 1024 * 1024;

/** Writes weights and config.json into a folder. */
export async function saveModel(
  dir: string,
  config: ModelConfig,
  weights: Iterable<readonly [string, Tensor]>,
  options: SaveOptions = {},
): Promise<void> {
  const dtype = options.dtype ?? config.dtype;
  const sources = [...weights].map(([name, tensor]) => tensorSource(name, tensor, FILE_DTYPES[dtype]));
  await writeCheckpoint(dir, sources, { maxShardBytes: options.maxShardBytes });
  const { torch_dtype: _, ...raw } = config.raw;
  const text = `${JSON.stringify({ ...raw, dtype }, null, 2)}\n`;
  await writeTextFiles(dir, { ...options.files, 'config.json': text });
}

/** A device tensor as something to write, converted to a file dtype and read back in pieces. */
export function tensorSource(name: string, tensor: Tensor, dtype: FloatDtype): TensorSource {
  return { name, dtype, shape: tensor.shape, data: () => pieces(tensor, dtype) };
}

async function* pieces(tensor: Tensor, dtype: FloatDtype): AsyncGenerator<Uint8Array> {
  // An even number of elements, so that packed pieces begin on a word.
  const most = CHUNK_BYTES / elementBytes(tensor.dtype);
  for (let first = 0; first < tensor.size; first += most) {
    const count = Math.min(most, tensor.size - first);
    const bytes = new Uint8Array(await tensor.gpu.read(part(tensor, first, count).range));
    if (HOST_DTYPES[tensor.dtype as 'f32' | 'f16' | 'bf16'] === dtype) yield bytes;
    else yield asBytes(fromF32(decode(hostArray(bytes, tensor), tensor.dtype), dtype));
  }
}

function hostArray(bytes: Uint8Array, tensor: Tensor): HostArray {
  const { buffer, byteLength } = bytes;
  return tensor.dtype === 'f32' ? new Float32Array(buffer) : new Uint16Array(buffer, 0, byteLength / 2);
}
