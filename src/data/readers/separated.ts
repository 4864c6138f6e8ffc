/** Tables with tabs or commas between the columns, as pandas writes them: VLMEvalKit's benchmarks, PMC-VQA. */
import { DataError } from '../errors.js';
import type { RawRecord } from './containers.js';

/** A cell with a picture is megabytes long at most; a longer one means that a quote was never closed. */
const LONGEST_CELL = 256 * 2 ** 20;
/** Shorter texts in the column of pictures are the index of the row whose picture it is. */
const REFERENCE_LENGTH = 64;

/** The rows of a table with tabs; empty cells are left out. A picture that is another row's is put in its place. */
export function tsvRows(bytes: Uint8Array, file: string): Generator<RawRecord> {
  return rowsOf(bytes, file, TAB);
}

/** The same of a table with commas. */
export function csvRows(bytes: Uint8Array, file: string): Generator<RawRecord> {
  return rowsOf(bytes, file, COMMA);
}

function* rowsOf(bytes: Uint8Array, file: string, separator: number): Generator<RawRecord> {
  const rows = splitRows(bytes, file, separator);
  const first = rows.next();
  if (first.done) return;
  if (first.value instanceof DataError) return yield { line: 1, value: first.value };
  const columns = first.value.cells.map((name) => name.trim());
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) {
    return yield {
      line: 1,
      value: new DataError({ file, line: 1 }, `has two columns called ${JSON.stringify(twice)}`),
    };
  }
  const pictures = new Map<string, string>();
  for (const row of rows) {
    if (row instanceof DataError) yield { line: row.place.line ?? 0, value: row };
    else yield { line: row.line, value: recordOf(row, columns, pictures, file) };
  }
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

function recordOf(
  { line, cells }: Row,
  columns: readonly string[],
  pictures: Map<string, string>,
  file: string,
): Record<string, unknown> | DataError {
  if (cells.length !== columns.length) {
    return new DataError(
      { file, line },
      `has ${cells.length} columns, but the heading has ${columns.length}`,
    );
  }
  const record: Record<string, unknown> = Object.fromEntries(
    columns.flatMap((name, i) => (cells[i] === '' ? [] : [[name, cells[i]]])),
  );
  const { index, image } = record;
  if (typeof image !== 'string') return record;
  if (image.length > REFERENCE_LENGTH) {
    if (typeof index === 'string') pictures.set(index, image);
    return record;
  }
  const other = pictures.get(image);
  if (other === undefined) {
    return new DataError(
      { file, line, field: 'image' },
      `refers to row ${JSON.stringify(image)}, which does not come before it`,
    );
  }
  return { ...record, image: other };
}

const TAB = 0x09;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const QUOTE = 0x22;

/** Cells by row. A cell in quotes may hold separators, line breaks and doubled quotes. */
function* splitRows(bytes: Uint8Array, file: string, separator: number): Generator<Row | DataError> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let line = 1;
  for (let at = start; at < bytes.length; ) {
    const row: { line: number; cells: string[] } = { line, cells: [] };
    let problem: string | undefined;
    for (let done = false; !done; ) {
      const cell = cellAt(bytes, at, separator);
      for (let i = at; i < cell.end; i++) if (bytes[i] === NEWLINE) line++;
      try {
        const text = decoder.decode(bytes.subarray(cell.from, cell.to));
        row.cells.push(cell.quoted ? text.replaceAll('""', '"') : text);
        problem ??= cell.problem;
      } catch {
        problem = 'is not valid UTF-8';
      }
      done = cell.end >= bytes.length || bytes[cell.end] === NEWLINE;
      if (done) line++;
      at = cell.end + 1;
    }
    if (problem !== undefined) yield new DataError({ file, line: row.line }, problem);
    else if (row.cells.length > 1 || row.cells[0] !== '') yield row;
  }
}

interface Cell {
  readonly from: number;
  readonly to: number;
  /** Index of the separator or line break after it. */
  readonly end: number;
  readonly quoted: boolean;
  readonly problem?: string;
}

function cellAt(bytes: Uint8Array, at: number, separator: number): Cell {
  const next = (from: number) => {
    let end = from;
    while (end < bytes.length && bytes[end] !== separator && bytes[end] !== NEWLINE) end++;
    return end;
  };
  if (bytes[at] !== QUOTE) {
    const end = next(at);
    const to = bytes[end - 1] === 0x0d && bytes[end] !== separator && end > at ? end - 1 : end;
    return { from: at, to, end, quoted: false };
  }
  let close = at + 1;
  for (; close < bytes.length && close - at < LONGEST_CELL; close++) {
    if (bytes[close] !== QUOTE) continue;
    if (bytes[close + 1] !== QUOTE) break;
    close++;
  }
  if (bytes[close] !== QUOTE) {
    // Go on with the next line, so that one bad cell costs one row.
    const end = bytes.indexOf(NEWLINE, at);
    return {
      from: at,
      to: at,
      end: end < 0 ? bytes.length : end,
      quoted: true,
      problem: 'has a quote that is never closed',
    };
  }
  const end = next(close + 1);
  const rest = end - close - 1 - (bytes[end - 1] === 0x0d ? 1 : 0);
  const problem = rest > 0 ? { problem: 'has text after the closing quote of a cell' } : {};
  return { from: at + 1, to: close, end, quoted: true, ...problem };
}
