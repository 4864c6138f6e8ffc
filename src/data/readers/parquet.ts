/** Rows of Parquet files, as Hugging Face publishes its datasets. */
import {
  ParquetError,
  type ParquetLimits,
  type ParquetSource,
  parquetBatches,
} from '../../platform/node/parquet.js';
import { DataError } from '../errors.js';
import type { Raw } from './fields.js';

/** The rows of a Parquet file, counted from 1. */
export async function* parquetRows(
  source: ParquetSource,
  file: string,
  limits: ParquetLimits = {},
): AsyncGenerator<{ line: number; value: Raw }> {
  let line = 0;
  try {
    for await (const batch of parquetBatches(source, limits)) {
      for (const value of batch) yield { line: ++line, value };
    }
  } catch (error) {
    if (!(error instanceof ParquetError)) throw error;
    throw new DataError({ file }, error.message, { cause: error });
  }
}
