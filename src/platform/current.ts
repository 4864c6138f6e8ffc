/**
 * The platform that the engine runs on: one port for each thing that it needs of the machine. Node's are in `node/`; a
 * browser brings others, and `memory-files.ts` has files for whoever has no disk.
 */
import type { Cards } from './ports/cards.js';
import type { Files } from './ports/files.js';
import type { Helpers } from './ports/helpers.js';
import type { Pictures } from './ports/pictures.js';
import type { Tables } from './ports/tables.js';

/** The ports. Whoever reads no pictures or no Parquet may leave theirs out. */
export interface Platform {
  readonly files: Files;
  readonly pictures?: Pictures;
  readonly tables?: Tables;
  /** Without them, what a helper would do is done in place, where nothing can end it. */
  readonly helpers?: Helpers;
  /** Without them, nobody knows what memory the GPU has. */
  readonly cards?: Cards;
}

let current: Platform | undefined;

/**
 * Hands the engine the machine it runs on; call it once, before the first file is named. The entry `osler` and the command
 * line do it for Node.
 *
 * @returns the platform that was set before.
 */
export function setPlatform(platform: Platform): Platform | undefined {
  const before = current;
  current = platform;
  return before;
}

/** Helpers, where the platform has them. */
export function helpersIfAny(): Helpers | undefined {
  return current?.helpers;
}

/** A port of the platform that was set. */
export function port<Name extends keyof Platform>(name: Name): NonNullable<Platform[Name]> {
  if (current === undefined) {
    throw new Error('no platform is set: import `osler`, which sets that of Node, or call setPlatform first');
  }
  const found = current[name];
  if (found === undefined) throw new Error(`the platform has no ${name}: hand them to setPlatform`);
  return found;
}
