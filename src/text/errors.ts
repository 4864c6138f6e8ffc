/** The one error that tokenizers, chat templates and prompts throw on bad input. */

/** Longest part of an untrusted string that a message repeats. */
const QUOTE_LIMIT = 120;

/**
 * A tokenizer, chat template or conversation that cannot be used. The message is one sentence naming the file (or the
 * message) at fault, the problem, and the fix where there is one.
 */
export class TextError extends Error {
  /** The file, or a name for what was given in its place. */
  readonly file: string;
  /** The message without it. */
  readonly problem: string;

  constructor(file: string, problem: string, options: { cause?: unknown } = {}) {
    super(`${file} ${problem}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TextError';
    this.file = file;
    this.problem = problem;
  }
}

/** Quotes untrusted text for a message: control characters escaped, length bounded. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text);
}

/** One line of what another library threw. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').slice(0, 200);
}
