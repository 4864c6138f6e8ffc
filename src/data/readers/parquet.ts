/** Rows of Parquet files, as Hugging Face publishes its datasets. */
import { port } from '../../platform/current.js';
import { openFile } from '../../platform/files.js';
import { TableError, type TableLimits, type TableSource } from '../../platform/ports/tables.js';
import { DataError } from '../errors.js';
import type { Raw } from './fields.js';

/** The rows of a Parquet file, counted from 1. */
export async function* parquetRows(
  source: TableSource,
  file: string,
  limits: TableLimits = {},
): AsyncGenerator<{ line: number; value: Raw }> {
  // What is no file is said here in the words of files, and not by the decoder.
  if (!(source instanceof Uint8Array)) await (await openFile(source.path)).close();
  let line = 0;
  try {
    for await (const batch of port('tables').rows(source, limits)) {
      for (const value of batch) yield { line: ++line, value };
    }
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    throw new DataError({ file }, error.message, { cause: error });
  }
}
