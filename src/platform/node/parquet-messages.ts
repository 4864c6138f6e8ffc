/** What is said between `parquet.ts` and the process that decodes for it. */
import type { TableRow, TableSource } from '../ports/tables.js';

/** To the decoding process: a file to begin with, or a wish for the next rows. Each has one reply. */
export type ParquetRequest = TableSource | 'next';

/** From the decoding process. */
export type ParquetReply =
  | { readonly ready: true }
  | { readonly rows: TableRow[] }
  | { readonly done: true }
  | { readonly error: string };
