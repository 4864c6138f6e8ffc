/** Signals by which people, terminals and supervisors ask a command to end. */

/** Ctrl-C, `kill` and supervisors, a terminal that closes. */
const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Milliseconds in which a second signal is the echo of the first: one that is sent to a whole process group arrives twice,
 * once by itself and once handed on by the launcher, which cannot know.
 */
const ECHO = 500;

/** What {@link onStopSignal} listens with. */
export interface StopListener {
  /** Stops listening. */
  release(): void;
}

/**
 * Calls `stop` at the first signal; a further one, unless it is an echo, ends the process as if nobody listened.
 */
export function onStopSignal(
  stop: (name: NodeJS.Signals) => void,
  now = () => performance.now(),
): StopListener {
  let first: number | undefined;
  const listener = (name: NodeJS.Signals) => {
    if (first === undefined) {
      first = now();
      // The terminal is gone: what is still said has nobody to read it, which must not end the work.
      if (name === 'SIGHUP') for (const out of [process.stdout, process.stderr]) out.on('error', () => {});
      stop(name);
    } else if (now() - first > ECHO) {
      release();
      process.kill(process.pid, name);
    }
  };
  const release = () => {
    for (const name of NAMES) process.off(name, listener);
  };
  for (const name of NAMES) process.on(name, listener);
  return { release };
}

/** Resolves at the first signal; a further one ends the process. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => onStopSignal(resolve));
}
