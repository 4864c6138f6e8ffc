/** What is wrong with files and places that people name. */

/** A file or folder that cannot be used as asked. The message is one sentence that begins with its path. */
export class FileError extends Error {
  /** The file or folder at fault. */
  readonly file: string;
  /** The message without the file. */
  readonly problem: string;
  /** It does not exist. */
  readonly missing: boolean;

  /** @param options `part` names what in the file is to blame. */
  constructor(
    file: string,
    problem: string,
    options: { part?: string | undefined; missing?: boolean; cause?: unknown } = {},
  ) {
    const subject = options.part === undefined ? file : `${file}: ${options.part}`;
    super(`${subject} ${problem}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FileError';
    this.file = file;
    this.problem = problem;
    this.missing = options.missing ?? false;
  }
}

/** A place that a user named for output and that cannot be used: bad input, unlike a disk that is full. */
export class PlaceError extends Error {}
