/** Rows of Parquet files, as Hugging Face publishes its datasets. */
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { DataError } from '../errors.js';
import type { Raw } from './fields.js';

/** A file that is read in pieces. */
export interface ByteSource {
  readonly byteLength: number;
  slice(start: number, end?: number): ArrayBuffer | Promise<ArrayBuffer>;
}

/** Rows decoded at a time, so that pictures in bytes do not pile up beyond what the caller keeps. */
const BATCH = 256;

/** The rows of a Parquet file, counted from 1. */
export async function* parquetRows(
  source: ByteSource,
  file: string,
): AsyncGenerator<{ line: number; value: Raw }> {
  // Loaded when first needed: decompressors are WebAssembly, which no other format pays for.
  const [{ parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  const buffer = { byteLength: source.byteLength, slice: (a: number, b?: number) => source.slice(a, b) };
  try {
    const metadata = await parquetMetadataAsync(buffer);
    assertColumns(metadata, parquetSchema(metadata));
    const rows = Number(metadata.num_rows);
    if (!Number.isSafeInteger(rows) || rows < 0) throw new Error(`it claims ${metadata.num_rows} rows`);
    for (let start = 0; start < rows; start += BATCH) {
      const batch = await parquetReadObjects({
        file: buffer,
        metadata,
        compressors,
        rowStart: start,
        rowEnd: Math.min(rows, start + BATCH),
        // Bytes stay bytes unless the schema says that they are text: pictures are bytes.
        utf8: false,
      });
      if (batch.length !== Math.min(BATCH, rows - start)) throw new Error('it has fewer rows than it claims');
      for (const [i, row] of batch.entries()) yield { line: start + i + 1, value: plain(row) as Raw };
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError({ file }, `is not a Parquet file that can be read (${reason.slice(0, 200)})`, {
      cause: error,
    });
  }
}

/**
 * Each row group has each column of the schema at most once, and none besides. The library reads columns at the same time
 * and forgets those that it has no place for; if one of them is corrupt, nobody would catch the error.
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

/** Values as JSON has them: whole numbers of 64 bits as numbers where they fit, times as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
