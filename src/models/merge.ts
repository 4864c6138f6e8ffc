/**
 * An adapter merged into its base: weights pass one by one, decoded where they are quantised, take up the adapter's product in
 * f32 on the device, and are rounded to the dtype of the files. What that loses is measured.
 */
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.js';
import { writeCheckpoint } from '../formats/checkpoint-writer.js';
import { asBytes, type FloatDtype, floatOf, fromF32, isFloatDtype, toF32 } from '../formats/dtypes.js';
import type { TensorSource } from '../formats/writer.js';
import type { Gpu } from '../gpu/index.js';
import { cast } from '../kernels/elementwise.js';
import { matmul } from '../kernels/matmul.js';
import { part } from '../kernels/support.js';
import { writeTextFiles } from '../platform/files.js';
import {
  empty,
  formatOf,
  fromHost,
  fromTorch,
  numel,
  type Tensor,
  type TorchFloat,
} from '../tensor/index.js';
import type { ModelConfig } from './core/config.js';
import { modelError } from './core/errors.js';
import { linearsOnPaper } from './core/inventory.js';
import { filling } from './core/load-weights.js';
import type { LoraConfig } from './core/lora/config.js';
import { adapterContents, type LoraPair, loadLoraConfig, readMatrix } from './core/lora/disk.js';
import { scaling } from './core/lora/targets.js';
import { type StoredWeight, storedWeights } from './core/stored-weights.js';
import { loadConfig } from './load.js';
import { copyOthers } from './other-files.js';

/** What is merged, and where it goes. */
export interface MergeOptions {
  /** Folder of the adapter. */
  readonly adapter: string;
  /** Folder of the base; what the adapter names by default. */
  readonly base?: string | undefined;
  readonly out: string;
  /** Dtype of the files; that of the base's config by default. */
  readonly dtype?: TorchFloat | undefined;
  readonly maxShardBytes?: number;
  /** Called as weights are written. */
  readonly onProgress?: (parametersDone: number, parameters: number) => void;
}

/** What {@link mergeAdapter} did. */
export interface MergedModel {
  readonly base: string;
  readonly dtype: TorchFloat;
  /** Weights that the adapter changed, or that it replaced. */
  readonly merged: number;
  readonly replaced: number;
  /** Weights that were stored in blocks. */
  readonly decoded: number;
  readonly bytes: number;
  /** How far numbers are from what they would be in f32, of weights that were merged or decoded; relative to each. */
  readonly rounding: { readonly most: number; readonly mean: number };
  /** Of the adapter's change, what rounding takes away: the norm of the errors over that of the change. */
  readonly changeLost: number;
  readonly warnings: readonly string[];
}

const CHUNK_BYTES = 16 * 1024 * 1024;

/** Merges an adapter into a model's weights and writes the result. */
export async function mergeAdapter(gpu: Gpu, options: MergeOptions): Promise<MergedModel> {
  const lora = await loadLoraConfig(options.adapter);
  const base = options.base ?? lora.baseModel;
  if (base === null) throw modelError(options.adapter, 'names no base model; name it with --base');
  const config = await loadConfig(base, '--base');
  const held: Checkpoint[] = [];
  const opened = async (dir: string) => {
    const file = await openCheckpoint(dir);
    held.push(file);
    return file;
  };
  try {
    const files = { base: await opened(base), adapter: await opened(options.adapter) };
    return await new Merge(gpu, config, lora, files).write(base, options);
  } finally {
    for (const file of held) await file.close();
  }
}

class Merge {
  readonly #gpu: Gpu;
  readonly #config: ModelConfig;
  readonly #lora: LoraConfig;
  readonly #files: { readonly base: Checkpoint; readonly adapter: Checkpoint };
  readonly #errors = new RoundingErrors();
  #changeSquares = 0;

  constructor(
    gpu: Gpu,
    config: ModelConfig,
    lora: LoraConfig,
    files: { readonly base: Checkpoint; readonly adapter: Checkpoint },
  ) {
    this.#gpu = gpu;
    this.#config = config;
    this.#lora = lora;
    this.#files = files;
  }

  async write(base: string, options: MergeOptions): Promise<MergedModel> {
    const { out, maxShardBytes, dtype = this.#config.dtype } = options;
    const { file } = formatOf(fromTorch(dtype));
    const { weights, warnings } = await storedWeights(this.#files.base, this.#config);
    const { pairs, whole } = this.#adapterOf(weights);
    const parameters = weights.reduce((sum, { spec }) => sum + numel(spec.shape), 0);
    let done = 0;
    const sources = weights.map((weight): TensorSource => {
      const { name, shape } = weight.spec;
      const data = async function* (pieces: AsyncGenerator<Uint8Array>) {
        yield* pieces;
        done += numel(shape);
        options.onProgress?.(done, parameters);
      };
      const replacement = whole.get(name);
      const pair = pairs.get(name);
      const isPlain = typeof weight.stored === 'string' && !pair;
      return {
        name,
        dtype: file,
        shape,
        data: () => {
          if (replacement) return data(converted(this.#files.adapter, replacement, file));
          return data(
            isPlain ? converted(this.#files.base, weight.tensor, file) : this.#merged(weight, pair, file),
          );
        },
      };
    });
    const { totalBytes: bytes } = await writeCheckpoint(out, sources, { maxShardBytes });
    await copyOthers(base, out);
    const { torch_dtype: _, quantization_config: __, ...raw } = this.#config.raw;
    await writeTextFiles(out, { 'config.json': `${JSON.stringify({ ...raw, dtype }, null, 2)}\n` });
    const { most, mean, squares } = this.#errors;
    return {
      ...{ base, dtype, bytes, warnings, merged: pairs.size, replaced: whole.size },
      decoded: weights.filter(({ stored }) => typeof stored !== 'string').length,
      rounding: { most, mean },
      changeLost: this.#changeSquares === 0 ? 0 : Math.sqrt(squares / this.#changeSquares),
    };
  }

  /** The adapter's matrices by the weight that they change, and what replaces weights; all shapes checked. */
  #adapterOf(weights: readonly StoredWeight[]): {
    readonly pairs: ReadonlyMap<string, LoraPair>;
    readonly whole: ReadonlyMap<string, string>;
  } {
    const { adapter } = this.#files;
    const shapes = new Map(weights.map(({ spec: { name, shape } }) => [name, shape]));
    const linears = linearsOnPaper(this.#config);
    const hasParameter = (name: string) => shapes.has(name);
    const { pairs, whole } = adapterContents(adapter, { config: this.#config, linears, hasParameter });
    const check = (name: string, expected: readonly number[]) => {
      const { dtype, shape } = adapter.info(name);
      if (isFloatDtype(dtype) && shape.join() === expected.join()) return;
      const got = `is ${dtype} [${shape.join(', ')}]`;
      throw modelError(`${adapter.path}: "${name}"`, `${got}; the base makes it [${expected.join(', ')}]`);
    };
    for (const { linear, a, b } of pairs) {
      const { rank } = this.#scaling(linear.path);
      check(a, [rank, linear.inputs]);
      check(b, [linear.outputs, rank]);
    }
    for (const [name, own] of whole) check(own, shapes.get(name) as readonly number[]);
    return { pairs: new Map(pairs.map((pair) => [`${pair.linear.path}.weight`, pair])), whole };
  }

  #scaling(path: string): { readonly rank: number; readonly scale: number } {
    return scaling(this.#lora, this.#config.names.memory(path));
  }

  async *#merged(
    weight: StoredWeight,
    pair: LoraPair | undefined,
    dtype: FloatDtype,
  ): AsyncGenerator<Uint8Array> {
    const exact = await this.#inF32(weight);
    try {
      if (pair) await this.#addProduct(exact, pair);
      for (let first = 0; first < exact.size; first += CHUNK_BYTES / 4) {
        const count = Math.min(CHUNK_BYTES / 4, exact.size - first);
        const values = new Float32Array(await this.#gpu.read(part(exact, first, count).range));
        const bytes = fromF32(values, dtype);
        this.#errors.add(values, toF32(bytes, dtype));
        yield bytes;
      }
    } finally {
      exact.dispose();
    }
  }

  /** A weight of the base on the device, as numbers. */
  async #inF32(weight: StoredWeight): Promise<Tensor> {
    const { spec, stored } = weight;
    const dtype = typeof stored === 'string' ? floatOf(stored) : stored.format;
    const target = empty(this.#gpu, spec.shape, { dtype, purpose: 'weights' }).keep();
    try {
      for await (const _ of filling(this.#files.base, weight, target)) await this.#gpu.sync();
      if (dtype === 'f32') return target;
    } catch (error) {
      target.dispose();
      throw error;
    }
    const exact = cast(target, 'f32').keep();
    target.dispose();
    return exact;
  }

  async #addProduct(exact: Tensor, { linear, a, b }: LoraPair): Promise<void> {
    const { rank, scale } = this.#scaling(linear.path);
    const { adapter } = this.#files;
    const [valuesA, valuesB] = [await readMatrix(adapter, a), await readMatrix(adapter, b)];
    this.#changeSquares += scale ** 2 * productSquares(valuesA, valuesB, rank);
    const upper = fromHost(this.#gpu, valuesA, [rank, linear.inputs], 'f32').keep();
    const lower = fromHost(this.#gpu, valuesB, [linear.outputs, rank], 'f32').keep();
    matmul(lower, upper, { scale, into: exact });
    upper.dispose();
    lower.dispose();
  }
}

/** A tensor of a file in another dtype. */
async function* converted(file: Checkpoint, name: string, to: FloatDtype): AsyncGenerator<Uint8Array> {
  const from = file.info(name).dtype as FloatDtype;
  for await (const chunk of file.chunks(name, CHUNK_BYTES)) {
    yield from === to ? chunk : asBytes(fromF32(toF32(chunk, from), to));
  }
}

/** The square of the norm of B A, for A [rank, in] and B [out, rank]: that of no larger products than rank by rank. */
function productSquares(a: Float32Array, b: Float32Array, rank: number): number {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  let squares = 0;
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      let [rows, columns] = [0, 0];
      for (let k = 0; k < inputs; k++) rows += a[i * inputs + k] * a[j * inputs + k];
      for (let k = 0; k < outputs; k++) columns += b[k * rank + i] * b[k * rank + j];
      squares += rows * columns;
    }
  }
  return squares;
}

/** What rounding takes from numbers. */
class RoundingErrors {
  most = 0;
  squares = 0;
  #sum = 0;
  #count = 0;

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  add(exact: Float32Array, rounded: Float32Array): void {
    for (let i = 0; i < exact.length; i++) {
      const error = Math.abs(exact[i] - rounded[i]);
      this.squares += error * error;
      const relative = exact[i] === 0 ? 0 : error / Math.abs(exact[i]);
      this.#sum += relative;
      if (relative > this.most) this.most = relative;
    }
    this.#count += exact.length;
  }
}
