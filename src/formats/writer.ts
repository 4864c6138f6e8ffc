/** Writing one safetensors file, tensor by tensor, from data that is made only when its turn comes. */

import { atomicWrite, type FileContent, type FileWriter } from '../platform/files.js';
import { asBytes, DTYPES, type Dtype, dtypeBytes, elementCount, isDtype } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { isIllFormed, LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY, shapeProblem } from './header.js';
import { describe } from './quote.js';

/** A tensor's data: all of it, or its pieces in order. Any typed array will do. */
export type TensorData = ArrayBufferView | AsyncIterable<ArrayBufferView>;

/** A tensor to be written. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /**
   * Called once, when all tensors before this one are on their way to disk. A piece is written before the next is asked
   * for, so `Checkpoint.chunks` can be passed on as it is.
   */
  data(): TensorData | Promise<TensorData>;
}

/** Free-form strings of a header; transformers wants `{format: 'pt'}`. */
export type Metadata = Readonly<Record<string, string>>;

/** Size of a source's data. */
export function sourceBytes(source: TensorSource): number {
  return (elementCount(source.shape) as number) * dtypeBytes(source.dtype);
}

/**
 * Writes a safetensors file atomically: it appears under its name complete and flushed, or not at all.
 *
 * The same tensors give the same bytes in whatever order they come: widest dtype first, then by name, which is what the
 * reference writer does, and what aligns every tensor to its elements.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource>,
  options: { readonly metadata?: Metadata } = {},
): Promise<void> {
  await atomicWrite(path, safetensorsContent(path, checkSources(path, tensors), options.metadata));
}

/**
 * The content of a safetensors file for `stageFile`; `sources` have been checked. `path` is only named in errors.
 */
export function safetensorsContent(
  path: string,
  sources: readonly TensorSource[],
  metadata?: Metadata,
): FileContent {
  const ordered = [...sources].sort(bySpecOrder);
  const header = encodeHeader(path, ordered, metadata);
  return async (file) => {
    await file.write(header);
    for (const source of ordered) await writeTensor(path, source, file);
  };
}

/** Refuses what would make an unreadable file, before anything is written. */
export function checkSources(path: string, tensors: Iterable<TensorSource>): TensorSource[] {
  const names = new Set<string>();
  const sources = [...tensors];
  for (const { name, dtype, shape } of sources) {
    const fail = (problem: string): never => {
      throw new SafetensorsError(path, problem, { tensor: name });
    };
    if (names.has(name)) fail('is given twice; names are unique');
    if (name === METADATA_KEY) fail('has a name that the format keeps for itself');
    if (isIllFormed(name)) fail('has half a surrogate pair in its name');
    if (!isDtype(dtype)) fail(`has the unknown dtype ${describe(dtype)}; known are ${DTYPES.join(', ')}`);
    const problem = shapeProblem(shape, dtype);
    if (problem !== undefined) fail(problem);
    names.add(name);
  }
  return sources;
}

function bySpecOrder(a: TensorSource, b: TensorSource): number {
  const byDtype = DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype);
  return byDtype !== 0 ? byDtype : a.name < b.name ? -1 : 1;
}

/** Length field and header, padded with spaces so that the data begins on a multiple of eight. */
function encodeHeader(
  path: string,
  ordered: readonly TensorSource[],
  metadata: Metadata | undefined,
): Uint8Array {
  const entries: string[] = [];
  if (metadata !== undefined) {
    const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of pairs) {
      if (typeof value === 'string' && !isIllFormed(key) && !isIllFormed(value)) continue;
      throw new SafetensorsError(
        path,
        `would get ${describe(value)} for ${describe(key)} in ${METADATA_KEY}; it holds text`,
      );
    }
    // Built by hand, as JSON.stringify moves keys that look like numbers to the front.
    const text = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',');
    entries.push(`"${METADATA_KEY}":{${text}}`);
  }
  let offset = 0;
  for (const source of ordered) {
    const { name, dtype, shape } = source;
    const end = offset + sourceBytes(source);
    entries.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape: [...shape], data_offsets: [offset, end] })}`,
    );
    offset = end;
  }
  if (!Number.isSafeInteger(offset)) throw new SafetensorsError(path, 'would have more than 2^53-1 bytes');
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      path,
      `would have a header of ${length} bytes, over the limit of ${MAX_HEADER_BYTES}; write fewer tensors or less metadata`,
    );
  }
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, LENGTH_BYTES);
  return header;
}

async function writeTensor(path: string, source: TensorSource, file: FileWriter): Promise<void> {
  const bytes = sourceBytes(source);
  let done = 0;
  const put = async (view: ArrayBufferView): Promise<void> => {
    done += view.byteLength;
    // Stop at the first byte too many: an endless provider must not fill the disk.
    if (done <= bytes) await file.write(asBytes(view));
    else mismatch('or more');
  };
  const mismatch = (suffix = ''): never => {
    const takes = `${source.dtype} ${describe(source.shape)} takes ${bytes}`;
    const got = `gave ${done} bytes${suffix && ` ${suffix}`}`;
    throw new SafetensorsError(path, `${got}, but ${takes}`, { tensor: source.name });
  };
  const data = await source.data();
  if (ArrayBuffer.isView(data)) await put(data);
  else for await (const piece of data) await put(piece);
  if (done !== bytes) mismatch();
}
