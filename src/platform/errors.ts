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
  if ((error as NodeJS.ErrnoException).code === undefined) return error;
  return new SafetensorsError(file, readProblem(error), { cause: error });
}

/** Why a file could not be read, as a sentence's predicate. */
export function readProblem(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return SYSTEM_PROBLEMS[code] ?? `cannot be read: ${message}`;
}

/** A place that a user named for output and that cannot be used: bad input, unlike a disk that is full. */
export class PlaceError extends Error {}

const PLACE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTDIR: 'cannot be made, because part of its path is a file',
  EEXIST: 'is a file, not a folder',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  EROFS: 'is on a file system that is read-only',
};

/** What `node:fs` threw on writing, in words: a {@link PlaceError} if another place is the fix. */
export function unwritable(path: string, error: unknown): Error {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const problem = PLACE_PROBLEMS[code];
  if (problem !== undefined) return new PlaceError(`${path} ${problem}`, { cause: error });
  return new Error(`${path} cannot be written: ${message}`, { cause: error });
}
