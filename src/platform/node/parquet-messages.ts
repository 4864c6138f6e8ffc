/** What is said between `parquet.ts` and the helper that decodes for it. */
import type { TableRow, TableSource } from '../ports/tables.js';

/** To the helper: a file to begin with, or a wish for the next rows. */
export type ParquetRequest = TableSource | 'next';

/** From the helper. */
export type ParquetReply =
  | { readonly rows: TableRow[] }
  | { readonly done: true }
  | { readonly error: string };
