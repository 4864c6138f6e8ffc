/** Parquet files, whose decoder trusts the counts that a file claims: a platform runs it where it can be stopped. */

/** Reads Parquet files. */
export interface Tables {
  /**
   * The rows of a Parquet file, some at a time.
   *
   * @throws TableError where they cannot be read within the limits.
   */
  rows(source: TableSource, limits: TableLimits): AsyncIterable<TableRow[]>;
}

/** One row: values as JSON has them, and bytes. */
export type TableRow = Readonly<Record<string, unknown>>;

/** A file, or its bytes. */
export type TableSource = { readonly path: string } | Uint8Array;

/** What decoding may take. */
export interface TableLimits {
  /** Seconds for the rows that are decoded at a time; by default 60, hundreds of times what they take in sound files. */
  readonly seconds?: number;
  /** Memory for what is decoded, in MB; by default 2048. */
  readonly megabytes?: number;
}

/** A file that cannot be read; the message says what is wrong with it, without its name. */
export class TableError extends Error {}
