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
    const isNew = !this.#entries.has(beat.worker);
    this.#entries.set(beat.worker, { beat, at: performance.now() });
    if (isNew) this.onJoin(beat);
  }
}
