/** The one error that reading or writing a checkpoint throws on bad input. */

/**
 * A safetensors file, index or checkpoint that cannot be used. The message is one sentence naming the file, the tensor
 * (if one is to blame) and the problem, and the fix where there is one.
 */
export class SafetensorsError extends Error {
  /** The file or folder at fault. */
  readonly file: string;
  /** The tensor at fault, if the problem is one tensor's. */
  readonly tensor: string | undefined;

  constructor(file: string, problem: string, options: { tensor?: string; cause?: unknown } = {}) {
    const subject = options.tensor === undefined ? file : `${file}: tensor ${quote(options.tensor)}`;
    super(`${subject} ${problem}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SafetensorsError';
    this.file = file;
    this.tensor = options.tensor;
  }
}

/** Longest part of an untrusted string that a message repeats. */
const QUOTE_LIMIT = 120;

/** Quotes untrusted text for a message: control characters escaped, length bounded. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text);
}

/** Describes an untrusted JSON value for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value))
    return value.length > 8 ? `a list of ${value.length}` : `[${value.map(describe).join(', ')}]`;
  if (typeof value === 'string') return quote(value);
  if (value !== null && typeof value === 'object') return 'an object';
  return value === undefined ? 'nothing' : Object.is(value, -0) ? '-0' : String(value);
}

const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist, because part of its path is a file',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a folder, not a file',
  ELOOP: 'is a symbolic link that leads back to itself',
  EMFILE: 'cannot be opened, because this process has too many open files; raise the limit with ulimit -n',
};

/** Turns what `node:fs` threw into a {@link SafetensorsError}; other errors come back as they are. */
export function fromSystemError(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SafetensorsError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  return new SafetensorsError(file, SYSTEM_PROBLEMS[code] ?? `cannot be read: ${error.message}`, {
    cause: error,
  });
}
