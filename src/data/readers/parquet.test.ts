import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import type { TableLimits, TableSource } from '../../platform/ports/tables.js';
import { DataError } from '../errors.js';
import { parquetRows } from './parquet.js';

/** One column, uncompressed; its 21st row is empty, so that the file says of each row whether it has a value. */
function sound(rows: number): Uint8Array {
  const data = Array.from({ length: rows }, (_, i) => (i === 20 ? undefined : `row ${i}`));
  const columnData = [{ name: 'text', data, type: 'STRING' as const, nullable: true }];
  return new Uint8Array(parquetWriteBuffer({ columnData, codec: 'UNCOMPRESSED' }));
}

/** Says that the first 2147483647 of its 40 rows have a value. */
function damaged(): Uint8Array {
  const bytes = Buffer.from(sound(40));
  // A run of 20 rows with a value, a group of 8 with one that has none, a run of 12.
  const at = bytes.indexOf('280103fe1801', 'hex');
  expect(at).toBeGreaterThan(0);
  bytes.write('feffffff0f01', at, 'hex');
  return bytes;
}

async function read(source: TableSource, limits?: TableLimits): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const { line, value } of parquetRows(source, 'q.parquet', limits)) rows[line] = value.text;
  return rows;
}

it('reads bytes and files, several at a time', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'osler-parquet-'));
  try {
    const file = path.join(dir, 'sound.parquet');
    writeFileSync(file, sound(600));
    const all = await Promise.all([read(sound(600)), read({ path: file }), read(Buffer.from(sound(40)))]);
    expect(all.map((rows) => rows.length)).toEqual([601, 601, 41]);
    for (const rows of all) expect([rows[1], rows[21], rows[40]]).toEqual(['row 0', null, 'row 39']);
    expect(all[1][600]).toBe('row 599');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

it.each([
  ['time', { seconds: 0.3 }, 'q.parquet is damaged: reading it did not end within 0.3 s'],
  ['memory', { megabytes: 64 }, 'q.parquet cannot be read in 64 MB of memory'],
])('stops at a count without end for want of %s, and reads the next file', async (_, limits, message) => {
  const failure = await read(damaged(), limits).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DataError);
  expect((failure as DataError).message).toContain(message);
  expect(await read(sound(40), limits)).toHaveLength(41);
});

it('can be left in the middle', async () => {
  for await (const { line } of parquetRows(sound(600), 'q.parquet')) if (line === 300) break;
  expect(await read(sound(40))).toHaveLength(41);
});

it('says what is wrong with a file that is no Parquet file', async () => {
  await expect(read(Buffer.from('no Parquet file'))).rejects.toThrow(
    'q.parquet is not a Parquet file that can be read (parquet file invalid (footer != PAR1))',
  );
});
