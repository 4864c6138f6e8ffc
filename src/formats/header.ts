/**
 * The safetensors header: eight bytes of length, then JSON, then tensor data without holes.
 *
 * Everything here is pure; files are opened elsewhere. A header is trusted only after every tensor's range has been
 * checked against the file's true size, so later code may allocate by `bytes`.
 */

import { DTYPES, type Dtype, dtypeBytes, elementCount, isDtype } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { JsonProblem, parseJsonObject } from './json.js';
import { describe, quote } from './quote.js';

/** Longest header that the reference implementation accepts. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Bytes of the length field before the header. */
export const LENGTH_BYTES = 8;
/** The header's key for free-form strings. */
export const METADATA_KEY = '__metadata__';

/** Where a tensor lies. */
export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Size of the tensor's data. */
  readonly bytes: number;
  /** Path of the file that holds it. */
  readonly file: string;
  /** First byte of its data, counted from the start of the file. */
  readonly offset: number;
}

/** A checked header; tensors are in file order. */
export interface Header {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether text has half a surrogate pair, which UTF-8 cannot express. */
export function isIllFormed(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** A sentence's predicate naming why a shape is unusable, or `undefined`. */
export function shapeProblem(shape: unknown, dtype: Dtype): string | undefined {
  if (!Array.isArray(shape)) return `has the shape ${describe(shape)}, which is not a list of sizes`;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0 || Object.is(size, -0)) {
      return `has the size ${describe(size)} in its shape; sizes are whole numbers from 0 to 2^53-1`;
    }
  }
  const count = elementCount(shape);
  if (count === undefined || !Number.isSafeInteger(count * dtypeBytes(dtype))) {
    return `has the shape ${describe(shape)}, which is more than 2^53-1 elements or bytes`;
  }
  return undefined;
}

/**
 * Reads the length field.
 *
 * @param prefix the first bytes of the file, eight or fewer.
 * @param fileBytes the file's size.
 */
export function headerLength(prefix: Uint8Array, file: string, fileBytes: number): number {
  const foreign = foreignFormat(prefix);
  if (foreign !== undefined) throw new SafetensorsError(file, foreign);
  if (prefix.byteLength < LENGTH_BYTES) {
    throw new SafetensorsError(
      file,
      `has ${fileBytes} bytes, too few for a safetensors file; it is truncated, fetch it again`,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new SafetensorsError(
      file,
      `says its header has ${length} bytes, over the limit of ${MAX_HEADER_BYTES}; it is corrupt or no safetensors file`,
    );
  }
  if (Number(length) > fileBytes - LENGTH_BYTES) {
    throw new SafetensorsError(
      file,
      `says its header has ${length} bytes but only ${fileBytes - LENGTH_BYTES} follow; it is truncated, fetch it again`,
    );
  }
  return Number(length);
}

/** Recognises what people most often have in place of a safetensors file. */
function foreignFormat(prefix: Uint8Array): string | undefined {
  const text = String.fromCharCode(...prefix.subarray(0, LENGTH_BYTES));
  if (text === 'version ') return 'is a git-lfs pointer, not the file itself; run git lfs pull';
  if (text.startsWith('PK\x03\x04') || text.startsWith('\x80\x02')) {
    return 'is a PyTorch pickle, not safetensors; convert it with safetensors.torch.save_file';
  }
  if (text.startsWith('GGUF'))
    return 'is a GGUF file, not safetensors; fetch the safetensors version of the model';
  if (/^<(!doc|html)/i.test(text))
    return 'is a web page, not safetensors; the download failed, fetch it again';
  return undefined;
}

/**
 * Parses and checks a header.
 *
 * @param json the header's bytes, without the length field.
 * @param fileBytes the file's size, against which every range is checked.
 */
export function parseHeader(json: Uint8Array, file: string, fileBytes: number): Header {
  const fail = (problem: string, tensor?: string): never => {
    throw new SafetensorsError(file, problem, tensor === undefined ? {} : { tensor });
  };
  if (json[0] !== 0x7b)
    fail("has a header that does not begin with '{'; it is corrupt or no safetensors file");
  let entries: Record<string, unknown>;
  try {
    entries = parseJsonObject(json);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new SafetensorsError(file, `has a header that ${error.message}`);
  }

  const dataStart = LENGTH_BYTES + json.byteLength;
  const dataBytes = fileBytes - dataStart;
  const found: { name: string; info: TensorInfo }[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name === METADATA_KEY) continue;
    if (isIllFormed(name)) fail('has half a surrogate pair in its name', name);
    found.push({ name, info: parseTensor(name, entry, file, dataStart, dataBytes) });
  }
  found.sort((a, b) => a.info.offset - b.info.offset || a.info.bytes - b.info.bytes);

  let end = dataStart;
  let before = '';
  for (const { name, info } of found) {
    const at = `begins at data byte ${info.offset - dataStart}`;
    if (info.offset < end)
      fail(`${at}, inside tensor ${quote(before)}, which ends at ${end - dataStart}`, name);
    if (info.offset > end) fail(`${at}, leaving a hole after data byte ${end - dataStart}`, name);
    end = info.offset + info.bytes;
    before = name;
  }
  if (end !== fileBytes) {
    fail(
      `has ${fileBytes - end} bytes at its end that belong to no tensor; it is corrupt, fetch or write it again`,
    );
  }
  return {
    tensors: new Map(found.map(({ name, info }) => [name, info])),
    metadata: parseMetadata(entries[METADATA_KEY], file),
  };
}

function parseTensor(
  name: string,
  entry: unknown,
  file: string,
  dataStart: number,
  dataBytes: number,
): TensorInfo {
  const fail = (problem: string): never => {
    throw new SafetensorsError(file, problem, { tensor: name });
  };
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) {
    return fail(`has ${describe(entry)} for its description; it needs dtype, shape and data_offsets`);
  }
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (!isDtype(dtype))
    return fail(`has the unknown dtype ${describe(dtype)}; known are ${DTYPES.join(', ')}`);
  const problem = shapeProblem(shape, dtype);
  if (problem !== undefined) return fail(problem);
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)
  ) {
    return fail(`has the data_offsets ${describe(offsets)}; they are two whole numbers, begin and end`);
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) return fail(`has data_offsets that end at ${end}, before they begin at ${begin}`);
  const sizes = shape as number[];
  const bytes = (elementCount(sizes) as number) * dtypeBytes(dtype);
  if (end - begin !== bytes) {
    return fail(`has ${end - begin} bytes of data, but ${dtype} ${describe(sizes)} takes ${bytes}`);
  }
  if (end > dataBytes) {
    return fail(
      `ends at data byte ${end}, but the file has only ${dataBytes}; it is truncated, fetch it again`,
    );
  }
  return { dtype, shape: Object.freeze(sizes), bytes, file, offset: dataStart + begin };
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  // The reference reader takes null for "none".
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new SafetensorsError(
      file,
      `has ${describe(value)} for ${METADATA_KEY}; it is an object of strings`,
    );
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new SafetensorsError(
        file,
        `has ${describe(text)} for ${quote(key)} in ${METADATA_KEY}; only strings are allowed there`,
      );
    }
  }
  return value as Record<string, string>;
}
