/** When requests may be sent: so many a minute, none while an endpoint asks for patience, later and later after failures. */

/** Waits, unless the signal is aborted first. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** Lets requests pass at even distances, and none for a while when it is told to pause. */
export class Pace {
  readonly #distance: number;
  #next = 0;

  /** @param perMinute requests a minute; 0 for no limit. */
  constructor(perMinute: number) {
    this.#distance = perMinute > 0 ? 60_000 / perMinute : 0;
  }

  /** Waits for the next place in line. */
  async turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = performance.now();
      if (now >= this.#next) {
        this.#next = now + this.#distance;
        return;
      }
      // Asks again after waiting: somebody may have paused the line meanwhile.
      await delay(this.#next - now, signal);
    }
  }

  /** Nobody passes for so many milliseconds. */
  pause(milliseconds: number): void {
    this.#next = Math.max(this.#next, performance.now() + milliseconds);
  }
}

/** Milliseconds to wait before try number `attempt` (1 is the first repetition): doubling, with a random part. */
export function backoff(
  attempt: number,
  base: number,
  most: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(most, base * 2 ** (attempt - 1));
  // Half is random, so that requests that failed together do not come back together.
  return full * (0.5 + 0.5 * random());
}

/** Milliseconds that a Retry-After header asks for, in seconds or as a date; undefined when it says neither. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
