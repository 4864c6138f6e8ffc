/**
 * Decodes Parquet files for `platform/node/parquet.ts`, which says why that needs a helper. Imports nothing of this project
 * but what it needs, so that it starts quickly.
 */
import { answerRequests } from '../platform/node/helper-child.js';
import { decodeParquet } from '../platform/node/parquet-decode.js';
import type { ParquetReply, ParquetRequest } from '../platform/node/parquet-messages.js';
import { openRegular } from '../platform/node/regular.js';
import type { TableRow, TableSource } from '../platform/ports/tables.js';

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
    yield* decodeParquet(file);
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
  const { handle, byteLength } = await openRegular(path);
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
