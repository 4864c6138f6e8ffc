/**
 * A checkpoint, in one file or in shards, read by byte range.
 *
 * Host memory stays bounded: headers are kept, data passes through. `chunks` reuses one staging buffer, so a model goes
 * from file to GPU without a second copy of it in RAM.
 */
import { FileError } from '../platform/errors.js';
import { join, splitPath } from '../platform/files.js';
import { SafetensorsError } from './errors.js';
import type { TensorInfo } from './header.js';
import { locate } from './locate.js';
import { quote } from './quote.js';
import { SafetensorsFile } from './safetensors-file.js';
import { checkShards, readShardIndex } from './shard-index.js';

/** Bytes `start` to `end` (exclusive) of one tensor. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Staging size that {@link Checkpoint.chunks} uses unless told: large enough for full disk speed. */
export const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;

/** Chunks end on this boundary, so that none splits an element of any dtype or a GPU copy's four bytes. */
const CHUNK_ALIGNMENT = 8;

/** Opens a safetensors file, an index, or a folder with either, and checks every header. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const location = await locate(path);
  if (location.kind === 'file') return new Checkpoint(path, [await SafetensorsFile.open(location.path)]);

  const index = await readShardIndex(location.path);
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const shard of index.shards) {
      shards.set(shard, await openShard(location.path, shard));
    }
    checkShards(location.path, index, shards);
  } catch (error) {
    await Promise.all([...shards.values()].map((shard) => shard.close()));
    throw error;
  }
  const checkpoint = new Checkpoint(path, [...shards.values()]);
  if (index.totalSize !== undefined && index.totalSize !== checkpoint.totalBytes()) {
    // Published checkpoints have this number wrong often enough (it is written before a cast), and nothing relies on it.
    const sizes = `says total_size ${index.totalSize}, but its tensors have ${checkpoint.totalBytes()} bytes`;
    checkpoint.warnings.push(`${location.path} ${sizes}`);
  }
  return checkpoint;
}

async function openShard(indexPath: string, shard: string): Promise<SafetensorsFile> {
  try {
    return await SafetensorsFile.open(join(splitPath(indexPath).folder, shard));
  } catch (error) {
    if (!(error instanceof FileError && error.missing)) throw error;
    throw new SafetensorsError(indexPath, `names the shard ${quote(shard)}, which does not exist; fetch it`, {
      cause: error,
    });
  }
}

/** An open checkpoint; make one with {@link openCheckpoint}. */
export class Checkpoint {
  /** The path that was opened. */
  readonly path: string;
  /** The safetensors files, sorted by name. */
  readonly files: readonly SafetensorsFile[];
  /** What is odd about the checkpoint but stops nobody from reading it. */
  readonly warnings: string[] = [];
  readonly #tensors = new Map<string, { readonly info: TensorInfo; readonly file: SafetensorsFile }>();
  #largest = 0;
  #staging: ArrayBuffer | undefined;

  /** Takes over open files, whose tensor names must not collide. */
  constructor(path: string, files: readonly SafetensorsFile[]) {
    this.path = path;
    this.files = files;
    for (const file of files) {
      for (const [name, info] of file.header.tensors) {
        this.#tensors.set(name, { info, file });
        this.#largest = Math.max(this.#largest, info.bytes);
      }
    }
  }

  /** Tensor names in the order they lie on disk, which is the fastest order to read them in. */
  names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Whether the checkpoint has a tensor. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Dtype, shape, size and place of a tensor. */
  info(name: string): TensorInfo {
    return this.#find(name).info;
  }

  /** Bytes of all tensors together. */
  totalBytes(): number {
    let total = 0;
    for (const { info } of this.#tensors.values()) total += info.bytes;
    return total;
  }

  /** `__metadata__` of the file; shards are merged, the first one wins. */
  metadata(): Readonly<Record<string, string>> {
    const merged = new Map<string, string>();
    for (const file of this.files) {
      for (const [key, value] of Object.entries(file.header.metadata)) {
        if (!merged.has(key)) merged.set(key, value);
      }
    }
    return Object.fromEntries(merged);
  }

  /** Reads a tensor, or a byte range of it, into memory of its own. */
  async read(name: string, options: { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    const { info } = this.#find(name);
    const { start, end } = options.range ?? { start: 0, end: info.bytes };
    checkRange(name, info, start, end);
    const target = allocate(end - start, name, info);
    await this.readInto(name, target, start);
    return target;
  }

  /** Fills `target` with a tensor's bytes from `start` on; for callers that keep their own buffer. */
  async readInto(name: string, target: Uint8Array, start = 0): Promise<void> {
    const { info, file } = this.#find(name);
    checkRange(name, info, start, start + target.byteLength);
    await file.readAt(target, info.offset + start);
  }

  /**
   * Streams a tensor. Every chunk but the last has `chunkBytes` bytes, rounded down to a multiple of eight.
   *
   * A chunk is a view of a staging buffer that the next step overwrites: use it before asking for the next one. Loops that
   * run at the same time get buffers of their own; loops one after another share one.
   */
  async *chunks(
    name: string,
    chunkBytes: number = DEFAULT_CHUNK_BYTES,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (!Number.isSafeInteger(chunkBytes) || chunkBytes < CHUNK_ALIGNMENT) {
      throw new RangeError(
        `chunkBytes is ${chunkBytes}; it is a whole number of at least ${CHUNK_ALIGNMENT}`,
      );
    }
    const { info, file } = this.#find(name);
    const step = chunkBytes - (chunkBytes % CHUNK_ALIGNMENT);
    const staging = this.#takeStaging(Math.min(step, this.#largest));
    try {
      for (let done = 0; done < info.bytes; done += step) {
        const chunk = new Uint8Array(staging, 0, Math.min(step, info.bytes - done));
        await file.readAt(chunk, info.offset + done);
        yield chunk;
      }
    } finally {
      // Keep the larger of the two where loops overlapped.
      if (staging.byteLength > (this.#staging?.byteLength ?? -1)) this.#staging = staging;
    }
  }

  /** Sized by the largest tensor, not by this one, so that the first buffer serves the whole checkpoint. */
  #takeStaging(bytes: number): ArrayBuffer {
    const idle = this.#staging;
    this.#staging = undefined;
    return idle !== undefined && idle.byteLength >= bytes ? idle : new ArrayBuffer(bytes);
  }

  /** Closes all files and drops the staging buffer. */
  async close(): Promise<void> {
    this.#staging = undefined;
    await Promise.all(this.files.map((file) => file.close()));
  }

  #find(name: string): { readonly info: TensorInfo; readonly file: SafetensorsFile } {
    const found = this.#tensors.get(name);
    if (found === undefined) {
      throw new SafetensorsError(this.path, 'is not in the checkpoint; osler inspect lists what is', {
        tensor: name,
      });
    }
    return found;
  }
}

/** An array may be shorter than the tensor is long: how much it holds, each JavaScript engine decides. */
function allocate(bytes: number, name: string, { file }: TensorInfo): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    const problem = `has ${bytes} bytes, too many for one array; read it in chunks`;
    throw new SafetensorsError(file, problem, { tensor: name, cause: error });
  }
}

function checkRange(name: string, info: TensorInfo, start: number, end: number): void {
  const whole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  if (!whole || start < 0 || end < start || end > info.bytes) {
    throw new RangeError(`bytes ${start} to ${end} of tensor ${quote(name)} are outside its ${info.bytes}`);
  }
}
