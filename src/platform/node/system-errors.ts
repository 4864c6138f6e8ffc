/** What `node:fs` throws, in words. */
import { FileError, PlaceError } from '../errors.js';

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist, because part of its path is a file',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a folder, not a file',
  ELOOP: 'is a symbolic link that leads back to itself',
  EMFILE: 'cannot be opened, because this process has too many open files; raise the limit with ulimit -n',
};

/** Turns what reading threw into a {@link FileError}; other errors come back as they are. */
export function unreadable(file: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  return new FileError(file, readProblem(error), { missing: code === 'ENOENT', cause: error });
}

/** Why a file could not be read, as a sentence's predicate. */
export function readProblem(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return READ_PROBLEMS[code] ?? `cannot be read: ${message}`;
}

const PLACE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTDIR: 'cannot be made, because part of its path is a file',
  EEXIST: 'is a file, not a folder',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  EROFS: 'is on a file system that is read-only',
};

/** What writing threw: a {@link PlaceError} if another place is the fix. */
export function unwritable(path: string, error: unknown): Error {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const problem = PLACE_PROBLEMS[code];
  if (problem !== undefined) return new PlaceError(`${path} ${problem}`, { cause: error });
  return new Error(`${path} cannot be written: ${message}`, { cause: error });
}
