/** The platform that the engine runs on. */
import type { Platform } from './ports.js';

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

/** The platform that was set. */
export function platform(): Platform {
  if (current === undefined) {
    throw new Error('no platform is set: import `osler`, which sets that of Node, or call setPlatform first');
  }
  return current;
}
