/** Records of JSONL and JSON files with the line each begins at, from bytes. */
import { JsonProblem, parseJsonObject } from '../../formats/json.js';
import { DataError } from '../errors.js';

/** One record as it stands in a file: the value, or why there is none. */
export interface RawRecord {
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>> | DataError;
}

const NEWLINE = 0x0a;

/** Whether bytes are a JSON array rather than JSON lines. */
export function isJsonArray(bytes: Uint8Array): boolean {
  return bytes[skipSpace(bytes, startOf(bytes))] === 0x5b;
}

/** Names under which one file has the parts of a dataset. */
const SPLITS = /^\s*\{\s*"(?:train|training|val|valid|validate|validation|dev|test)"\s*:\s*\[/;
/** As much of a file as its first key and bracket need. */
const HEAD_BYTES = 256;

/** Whether bytes are an object with a list of records for each part of a dataset, as R2Gen's annotations are. */
export function isSplitsObject(bytes: Uint8Array): boolean {
  const start = startOf(bytes);
  return SPLITS.test(new TextDecoder().decode(bytes.subarray(start, start + HEAD_BYTES)));
}

/** The records of such an object, part by part; those that do not say so themselves get `split`. */
export function* jsonSplits(bytes: Uint8Array, file: string): Generator<RawRecord> {
  let line = 1;
  let counted = 0;
  const lineAt = (at: number) => {
    for (; counted < at; counted++) if (bytes[counted] === NEWLINE) line++;
    return line;
  };
  let at = skipSpace(bytes, startOf(bytes)) + 1;
  for (;;) {
    at = skipSpace(bytes, at);
    const colon = valueEnd(bytes, at, 0x3a);
    const key = colon === undefined ? '' : new TextDecoder().decode(bytes.subarray(at, colon)).trim();
    const list = colon === undefined ? bytes.length : skipSpace(bytes, colon + 1);
    const end = valueEnd(bytes, list);
    const named = /^"([\w -]{1,40})"$/.exec(key)?.[1];
    if (named === undefined || end === undefined || bytes[list] !== 0x5b) {
      return yield broken(file, lineAt(Math.min(list, bytes.length)), end === undefined);
    }
    const first = lineAt(list) - 1;
    for (const { line: within, value } of jsonArray(bytes.subarray(list, end), file)) {
      const told =
        value instanceof DataError
          ? new DataError({ ...value.place, line: first + within }, value.problem)
          : { split: named, ...value };
      yield { line: first + within, value: told };
    }
    at = skipSpace(bytes, end);
    if (bytes[at] === 0x7d) return yield* nothingAfter(bytes, at + 1, file, lineAt);
    if (bytes[at] !== 0x2c) return yield broken(file, lineAt(at), at >= bytes.length);
    at++;
  }
}

/** The records of a JSONL file, one a line; blank lines do not count. */
export function* jsonLines(bytes: Uint8Array, file: string): Generator<RawRecord> {
  let line = 1;
  for (let start = startOf(bytes); start < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    if (skipSpace(bytes, start) < end) yield parse(bytes.subarray(start, end), file, line);
    start = end + 1;
  }
}

/** The records of a file that is one JSON array, each parsed on its own so that a bad one spoils no other. */
export function* jsonArray(bytes: Uint8Array, file: string): Generator<RawRecord> {
  const cursor = { at: skipSpace(bytes, startOf(bytes)) + 1, line: 1, counted: 0 };
  const lineAt = (at: number) => {
    for (; cursor.counted < at; cursor.counted++) if (bytes[cursor.counted] === NEWLINE) cursor.line++;
    return cursor.line;
  };
  for (let first = true; ; first = false) {
    let at = skipSpace(bytes, cursor.at);
    if (bytes[at] === 0x5d) return yield* nothingAfter(bytes, at + 1, file, lineAt);
    if (!first) {
      if (bytes[at] !== 0x2c) return yield broken(file, lineAt(at), at >= bytes.length);
      at = skipSpace(bytes, at + 1);
    }
    const end = valueEnd(bytes, at);
    if (end === undefined || end === at)
      return yield broken(file, lineAt(at), end === undefined || at >= bytes.length);
    yield parse(bytes.subarray(at, end), file, lineAt(at));
    cursor.at = end;
  }
}

function* nothingAfter(
  bytes: Uint8Array,
  from: number,
  file: string,
  lineAt: (at: number) => number,
): Generator<RawRecord> {
  const at = skipSpace(bytes, from);
  if (at < bytes.length) yield problem(file, lineAt(at), 'has something after the list that a JSON file is');
}

function broken(file: string, line: number, atEnd: boolean): RawRecord {
  return problem(
    file,
    line,
    atEnd ? 'ends in the middle of the list; the file is cut off' : 'is not a list of records from here on',
  );
}

function problem(file: string, line: number, text: string): RawRecord {
  return { line, value: new DataError({ file, line }, text) };
}

function parse(bytes: Uint8Array, file: string, line: number): RawRecord {
  try {
    return { line, value: parseJsonObject(bytes) };
  } catch (error) {
    if (error instanceof JsonProblem) return problem(file, line, error.message);
    throw error;
  }
}

/** Index after the value that starts at `at` and ends before a byte, by default a comma; undefined where the file ends inside of it. */
function valueEnd(bytes: Uint8Array, at: number, before = 0x2c): number | undefined {
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    const c = bytes[i];
    if (c === 0x22) {
      for (i++; i < bytes.length && bytes[i] !== 0x22; i++) if (bytes[i] === 0x5c) i++;
      if (i >= bytes.length) return undefined;
    } else if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (c === before && depth === 0) return i;
  }
  return undefined;
}

/** Editors on Windows put a byte order mark first. */
function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (
    at < bytes.length &&
    (bytes[at] === 0x20 || (bytes[at] as number) - 9 < 5) &&
    (bytes[at] as number) >= 9
  )
    at++;
  return at;
}
