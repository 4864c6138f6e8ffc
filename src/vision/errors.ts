/** The one error that reading or preparing an image throws on bad input. */

/**
 * An image that cannot be used. The message is one sentence naming the file and the problem, and the fix where there is
 * one. A run over a dataset may skip such images: see `ImageTally`.
 */
export class ImageError extends Error {
  /** The file, or a name for what was given in its place. */
  readonly file: string;
  /** The message without the file. */
  readonly problem: string;

  constructor(file: string, problem: string, options: { cause?: unknown } = {}) {
    super(`${file} ${problem}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ImageError';
    this.file = file;
    this.problem = problem;
  }
}

/** One line of what another library threw; some throw strings. */
export function reason(error: unknown): string {
  const text =
    error instanceof Error
      ? error.message
      : error !== null && typeof error === 'object' && 'exception' in error
        ? String(error.exception)
        : String(error);
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
