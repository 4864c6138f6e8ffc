/** Rows of Parquet files, as the helper in `helpers/parquet.ts` decodes them. Imports nothing of this project but types. */
import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet';
import { parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { TableRow } from '../ports/tables.js';

/** Rows handed out at a time, and bytes in them after which it is enough. */
const BATCH = 256;
const BATCH_BYTES = 64 << 20;

/**
 * What is decoded at once, by what the file says: bytes before compression, and values. Most row groups have less. A larger
 * one is decoded in parts, each of which costs the reading of what is before it.
 */
const WINDOW_BYTES = 256 << 20;
const WINDOW_VALUES = 4 << 20;

/**
 * Bytes of rows that a file may hold, in all and for each of its own. Compression makes texts ten or a hundred times smaller;
 * what claims more says one thing again and again until nobody's memory holds it.
 */
const FREE_BYTES = 256 << 20;
const EXPANSION = 1000;
/** What a row and a value take besides their text or bytes. */
const OVERHEAD = 16;

/** Some rows of one row group. */
interface Window {
  readonly start: number;
  readonly end: number;
}

/** The rows of a file, some at a time; each row group is decoded once, unless it is very large. */
export async function* decodeParquet(file: AsyncBuffer): AsyncGenerator<TableRow[]> {
  const metadata = await parquetMetadataAsync(file);
  const schema = parquetSchema(metadata);
  assertColumns(metadata, schema);
  const names = schema.children.map(({ element }) => element.name);
  let left = FREE_BYTES + EXPANSION * file.byteLength;
  for (const window of windows(metadata)) {
    const columns = await decodeWindow(file, metadata, names, window);
    for (let batch: TableRow[] = [], at = window.start, bytes = 0; at < window.end; ) {
      const row = Object.fromEntries(names.map((name, i) => [name, plain(columns[i][at - window.start])]));
      batch.push(row);
      bytes += sizeOf(row);
      if (++at < window.end && batch.length < BATCH && bytes < BATCH_BYTES) continue;
      left -= bytes;
      if (left < 0)
        throw new Error(`its ${file.byteLength} bytes expand to more than ${EXPANSION} times that`);
      yield batch;
      batch = [];
      bytes = 0;
    }
  }
}

/** Row groups, or parts of them where they are very large. */
function* windows({ row_groups, num_rows }: FileMetaData): Generator<Window> {
  const counts = row_groups.map((group) => Number(group.num_rows));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (rows !== Number(num_rows) || !Number.isSafeInteger(rows) || counts.some((count) => !(count >= 0))) {
    throw new Error(`it claims ${num_rows} rows, and its row groups claim ${rows}`);
  }
  let start = 0;
  for (const [i, { columns, total_byte_size }] of row_groups.entries()) {
    const bytes = Number(total_byte_size) || 0;
    const parts = Math.max(bytes / WINDOW_BYTES, (counts[i] * columns.length) / WINDOW_VALUES, 1);
    const step = Math.ceil(counts[i] / parts);
    const end = start + counts[i];
    for (; start < end; start += step) yield { start, end: Math.min(end, start + step) };
    start = end;
  }
}

/** The values of each column. */
async function decodeWindow(
  file: AsyncBuffer,
  metadata: FileMetaData,
  names: readonly string[],
  { start, end }: Window,
): Promise<unknown[][]> {
  const columns = names.map((): unknown[] => []);
  // Bytes stay bytes unless the schema says that they are text: pictures are bytes.
  await parquetRead({
    ...{ file, metadata, compressors, rowStart: start, rowEnd: end, utf8: false },
    onChunk: ({ columnName, columnData, rowStart }) => {
      const column = columns[names.indexOf(columnName)];
      for (let i = Math.max(start - rowStart, 0); i < columnData.length && rowStart + i < end; i++) {
        column[rowStart + i - start] = columnData[i];
      }
    },
  });
  if (columns.some(({ length }) => length !== end - start)) {
    throw new Error('it has fewer rows than it claims');
  }
  return columns;
}

/**
 * Each row group has each column of the schema at most once, and none besides: the library would silently ignore columns
 * that it has no place for.
 */
function assertColumns({ row_groups }: FileMetaData, schema: SchemaTree): void {
  for (const { columns } of row_groups) {
    const seen = new Set<string>();
    for (const { meta_data } of columns) {
      const path = meta_data?.path_in_schema ?? [];
      const leaf = path.reduce<SchemaTree | undefined>(
        (node, name) => node?.children.find(({ element }) => element.name === name),
        schema,
      );
      const name = JSON.stringify(path);
      if (leaf === undefined || leaf === schema || leaf.children.length > 0 || seen.has(name)) {
        throw new Error(`its column ${name} does not fit its schema`);
      }
      seen.add(name);
    }
  }
  const names = schema.children.map(({ element }) => element.name);
  if (new Set(names).size < names.length) throw new Error('it has two columns of one name');
}

/** Values as JSON has them, and bytes: whole numbers of 64 bits as numbers where they fit, times as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  // A part of a row group's buffer would be sent with all of that buffer.
  if (value instanceof Uint8Array) return value.slice();
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** About how much memory a value takes. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return OVERHEAD + value.length;
  if (ArrayBuffer.isView(value)) return OVERHEAD + value.byteLength;
  if (value === null || typeof value !== 'object') return OVERHEAD;
  return Object.values(value).reduce((sum: number, inner) => sum + sizeOf(inner), OVERHEAD);
}
