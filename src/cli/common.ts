/** Options and exit codes that all commands share. */
import type { Argv } from 'yargs';
import { DataError } from '../data/errors.js';
import { ClusterError } from '../exchange/nats/errors.js';
import { OslerError } from '../gpu/index.js';
import { FileError, PlaceError } from '../platform/errors.js';
import { HubError } from '../platform/node/hub/error.js';
import { TextError } from '../text/errors.js';
import { ImageError } from '../vision/errors.js';

/** Options of every command. */
export interface CommonArgs {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Adds `--json` and `--verbose`. */
export function commonOptions<T>(yargs: Argv<T>): Argv<T & CommonArgs> {
  return yargs
    .option('json', { type: 'boolean', default: false, describe: 'Print results as JSON' })
    .option('verbose', { type: 'boolean', default: false, describe: 'Show stack traces of errors' });
}

/** A variable of the environment, where keys of endpoints are. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}

/** A mistake in how a command was called: exit code 2. */
export class UsageError extends Error {}

const BAD_INPUT = [UsageError, PlaceError, FileError, TextError, ImageError, DataError];

/** 2 for bad usage or bad input, 1 for a run that failed. */
export function exitCodeOf(error: unknown): 1 | 2 {
  if (BAD_INPUT.some((kind) => error instanceof kind)) return 2;
  if (error instanceof ClusterError) return error.kind === 'refused' ? 2 : 1;
  if (error instanceof HubError) return error.kind === 'refused' ? 2 : 1;
  if (error instanceof OslerError) return ['value', 'shape', 'dtype'].includes(error.code) ? 2 : 1;
  return 1;
}
