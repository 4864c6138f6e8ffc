/**
 * Decodes Parquet files for `platform/node/parquet.ts`, which says why that needs a helper. Imports nothing of this project
 * but what talks, so that it starts quickly.
 */
import { open } from 'node:fs/promises';
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { answerRequests } from '../platform/node/helper-child.js';
import type { ParquetReply, ParquetRequest } from '../platform/node/parquet-messages.js';
import type { TableRow, TableSource } from '../platform/ports/tables.js';

/** Rows decoded at a time, so that pictures in bytes do not pile up beyond what the caller keeps. */
const BATCH = 256;

interface Source {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

let batches: AsyncGenerator<TableRow[]> | undefined;

// The library reads columns at the same time: where several are corrupt, it reports one and forgets the others.
process.on('unhandledRejection', () => {});
answerRequests((request) => answer(request as ParquetRequest));

async function answer(request: ParquetRequest): Promise<ParquetReply> {
  if (request !== 'next') batches = decode(request);
  try {
    const next = await batches?.next();
    return next === undefined || next.done ? { done: true } : { rows: next.value };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function* decode(given: TableSource): AsyncGenerator<TableRow[]> {
  const source = given instanceof Uint8Array ? fromBytes(given) : await fromFile(given.path);
  const reads = new Set<Promise<unknown>>();
  const file = {
    byteLength: source.byteLength,
    slice(start: number, end?: number) {
      const read = source.slice(start, end);
      reads.add(read);
      return read;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(file);
    assertColumns(metadata, parquetSchema(metadata));
    const rows = Number(metadata.num_rows);
    if (!Number.isSafeInteger(rows) || rows < 0) throw new Error(`it claims ${metadata.num_rows} rows`);
    for (let rowStart = 0; rowStart < rows; rowStart += BATCH) {
      const rowEnd = Math.min(rows, rowStart + BATCH);
      // Bytes stay bytes unless the schema says that they are text: pictures are bytes.
      const batch = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd, utf8: false });
      if (batch.length !== rowEnd - rowStart) throw new Error('it has fewer rows than it claims');
      yield batch.map((row) => plain(row) as TableRow);
    }
  } finally {
    // After an error in one column others may still be decoded; whatever happens to them belongs to this file.
    await Promise.allSettled(reads);
    await new Promise(setImmediate);
    await source.close();
  }
}

function fromBytes(bytes: Uint8Array): Source {
  const whole = new Uint8Array(bytes).buffer;
  return {
    byteLength: whole.byteLength,
    slice: async (start, end) => whole.slice(start, end),
    close: async () => {},
  };
}

async function fromFile(path: string): Promise<Source> {
  const handle = await open(path, 'r');
  const byteLength = (await handle.stat()).size;
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const from = Math.max(0, start);
      const bytes = new Uint8Array(Math.max(0, Math.min(byteLength, end) - from));
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) throw new Error('it became shorter while it was read');
        done += bytesRead;
      }
      return bytes.buffer;
    },
    close: () => handle.close(),
  };
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
