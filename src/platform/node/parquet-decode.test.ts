import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import type { TableRow } from '../ports/tables.js';
import { decodeParquet } from './parquet-decode.js';

/** A file in memory that counts the bytes that are read of it. */
function counted(bytes: ArrayBuffer) {
  const file = {
    byteLength: bytes.byteLength,
    read: 0,
    slice(start: number, end = bytes.byteLength) {
      const part = bytes.slice(start, end);
      file.read += part.byteLength;
      return part;
    },
  };
  return file;
}

function write(rows: number, text: (i: number) => string | undefined, rowGroupSize: number): ArrayBuffer {
  const data = Array.from({ length: rows }, (_, i) => text(i));
  const number = Int32Array.from({ length: rows }, (_, i) => i);
  const columnData = [
    { name: 'text', data, type: 'STRING' as const, nullable: true },
    { name: 'number', data: number, type: 'INT32' as const },
  ];
  return parquetWriteBuffer({ columnData, rowGroupSize });
}

async function rowsOf(file: { byteLength: number; slice(start: number, end?: number): ArrayBuffer }) {
  const rows: TableRow[] = [];
  for await (const batch of decodeParquet(file)) {
    expect(batch.length).toBeLessThanOrEqual(256);
    rows.push(...batch);
  }
  return rows;
}

it.each([1000, 20_000])('reads row groups of %i rows once', async (group) => {
  const bytes = write(20_000, (i) => (i % 7 === 0 ? undefined : `row ${i}`), group);
  const file = counted(bytes);
  const rows = await rowsOf(file);
  expect(rows).toHaveLength(20_000);
  for (const [i, row] of rows.entries()) {
    expect(row).toEqual({ text: i % 7 === 0 ? null : `row ${i}`, number: i });
  }
  // The footer may be read with what stands before it, and again.
  expect(file.read).toBeLessThan(bytes.byteLength + 2 * Math.min(bytes.byteLength, 1 << 19));
});

it('reads many equal rows, and refuses rows that no memory holds', async () => {
  expect(await rowsOf(counted(equal(200_000, 10)))).toHaveLength(200_000);
  const endless = counted(equal(300_000, 1000));
  await expect(rowsOf(endless)).rejects.toThrow(/its \d+ bytes expand to more than 1000 times that/);
  expect(endless.byteLength).toBeLessThan(10_000);
});

function equal(rows: number, length: number): ArrayBuffer {
  const data = Array(rows).fill('x'.repeat(length));
  return parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }], rowGroupSize: rows });
}
