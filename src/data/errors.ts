/** The one error that reading or preparing a dataset throws on bad input. */

/** Where in a dataset a problem is. */
export interface Place {
  /** The file, or a name for what was given in its place. */
  readonly file: string;
  /** Line of the record, counted from 1; for Parquet the row. */
  readonly line?: number;
  /** Path of the field at fault, such as `options.B`. */
  readonly field?: string;
}

/** A record or file that cannot be used. The message is `file:line:field problem`, with the fix where there is one. */
export class DataError extends Error {
  readonly place: Place;
  /** The message without the place. */
  readonly problem: string;

  constructor(place: Place, problem: string, options: { cause?: unknown } = {}) {
    const line = place.line === undefined ? '' : `:${place.line}`;
    const field = place.field === undefined ? '' : `:${place.field}`;
    super(
      `${place.file}${line}${field} ${problem}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'DataError';
    this.place = place;
    this.problem = problem;
  }
}
