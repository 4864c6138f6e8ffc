/** Who works on a run, as far as their signs of life tell. */
import type { Subscription } from '@nats-io/transport-node';
import type { Hub } from './hub.js';
import { fromBytes, WORKER_BEAT, type WorkerBeat } from './messages.js';
import { workerBeats } from './names.js';

/** Milliseconds between signs of life. */
export const BEAT = 1000;
/** Milliseconds after which whoever gave none is taken for gone: compiling a kernel may keep a worker for some seconds. */
export const SILENCE = 20_000;

interface Entry {
  readonly beat: WorkerBeat;
  readonly at: number;
  /** Since when it has had nothing to do, as far as its words tell. */
  readonly idle: number | null;
}

/** See above. */
export class Roster {
  readonly #entries = new Map<string, Entry>();
  readonly #subscription: Subscription;
  /** Called when somebody comes. */
  onJoin: (worker: WorkerBeat) => void = () => {};

  /** Listens from now on. */
  constructor(hub: Hub, run: string) {
    this.#subscription = hub.nc.subscribe(workerBeats(run), {
      callback: (error, message) => {
        const beat = error ? undefined : fromBytes(WORKER_BEAT, message.data);
        if (beat) this.#take(beat);
      },
    });
  }

  /** Whether somebody has had nothing to do for so many milliseconds: whoever changes units is idle for a moment. */
  hasIdle(least: number): boolean {
    const now = performance.now();
    return [...this.#entries.values()].some(
      ({ at, idle }) => idle !== null && now - at < SILENCE && now - idle > least,
    );
  }

  /** Units that somebody works on, by the milliseconds since the last word of it. */
  unitsInWork(): ReadonlyMap<string, number> {
    const now = performance.now();
    const found = new Map<string, number>();
    for (const { beat, at } of this.#entries.values()) {
      if (beat.unit !== null) found.set(beat.unit, Math.min(now - at, found.get(beat.unit) ?? now));
    }
    return found;
  }

  /** Those who are there. */
  get present(): readonly WorkerBeat[] {
    const now = performance.now();
    return [...this.#entries.values()].filter(({ at }) => now - at < SILENCE).map(({ beat }) => beat);
  }

  /** Takes out those who are gone without a word; returns what they said last. */
  takeLost(): WorkerBeat[] {
    const now = performance.now();
    const lost = [...this.#entries.values()].filter(({ at }) => now - at >= SILENCE).map(({ beat }) => beat);
    for (const { worker } of lost) this.#entries.delete(worker);
    return lost;
  }

  /** One is known to have ended. */
  hasEnded(worker: string): void {
    const entry = this.#entries.get(worker);
    if (entry) this.#entries.set(worker, { ...entry, at: Number.NEGATIVE_INFINITY });
  }

  /** Listens no longer. */
  close(): void {
    this.#subscription.unsubscribe();
  }

  #take(beat: WorkerBeat): void {
    if (beat.state === 'leaving') {
      this.#entries.delete(beat.worker);
      return;
    }
    const at = performance.now();
    const before = this.#entries.get(beat.worker);
    const idle = beat.state === 'idle' ? (before?.idle ?? at) : null;
    this.#entries.set(beat.worker, { beat, at, idle });
    if (!before) this.onJoin(beat);
  }
}
