/** Units under way: which results are there, which units have to be given out again, and which nobody can do. */
import type { Subscription } from '@nats-io/transport-node';
import { UnitFailure } from '../exchange.js';
import type { Hub } from './hub.js';
import { FAILURE, fromBytes, type Queued, toBytes } from './messages.js';
import * as names from './names.js';
import { BEAT, type Roster } from './roster.js';
import type { Store } from './store.js';

/** Failures of a unit that end the run, and workers that ended over it. */
const MOST_FAILURES = 3;
const MOST_DEATHS = 5;
/** A unit that takes this many times as long as others of its kind did is given to another worker that has nothing to do. */
const STRAGGLING = 2;

/** Milliseconds that a watch waits; tests wait less. */
export interface Waits {
  /** Between looks into the store: a message may have been missed. */
  readonly look: number;
  /** What a straggler has in any case. */
  readonly grace: number;
  /** After which a unit of which nobody says that he works on it is given to a worker that has nothing to do. */
  readonly quiet: number;
  /** After which a worker without a unit is one that the queue has nothing for. */
  readonly idle: number;
}

/** See {@link Waits}. */
export const WAITS: Waits = { look: 2000, grace: 10_000, quiet: 4000, idle: 1500 };

/** A unit that was given out. */
export interface Issued {
  readonly name: string;
  readonly queued: Queued;
}

interface Entry {
  readonly unit: Issued;
  done: boolean;
  tries: number;
  issued: number;
  readonly failures: Map<string, { readonly worker: string; readonly problem: string }>;
  deaths: number;
  again: boolean;
}

/** What a watch works with. */
export interface WatchSetting {
  readonly hub: Hub;
  readonly run: string;
  readonly store: Store;
  readonly roster: Roster;
  /** Step and kind of the units. */
  readonly prefix: string;
  readonly waits: Waits;
  note(line: string): void;
}

/** See above. */
export class UnitWatch {
  /** Units that were given out again. */
  redone = 0;
  readonly #setting: WatchSetting;
  readonly #entries = new Map<string, Entry>();
  readonly #subscriptions: Subscription[];
  readonly #seconds: number[] = [];
  #wake: () => void = () => {};
  #looked = performance.now();
  #lonely = performance.now();
  #failure: Error | null = null;

  /** Listens from now on. */
  constructor(setting: WatchSetting) {
    const { hub, run, prefix } = setting;
    this.#setting = setting;
    this.#subscriptions = [
      hub.nc.subscribe(names.resultSubject(run, `${prefix}.*`), {
        callback: (_, { subject }) => this.#arrived(subject),
      }),
      hub.nc.subscribe(names.failureSubject(run, `${prefix}.*`, '*'), {
        callback: (_, { subject, data }) => this.#failed(subject, data),
      }),
    ];
  }

  /** Watches a unit from now on. */
  expect(unit: Issued, done: boolean): void {
    this.#entries.set(unit.name, {
      unit,
      done,
      tries: 0,
      issued: performance.now(),
      failures: new Map(),
      deaths: 0,
      again: false,
    });
  }

  /** Puts a unit into the queue. */
  async issue({ name, queued }: Issued): Promise<void> {
    const entry = this.#entries.get(name) as Entry;
    entry.done = false;
    entry.tries++;
    entry.issued = performance.now();
    if (entry.tries > 1) this.redone++;
    const { hub, run } = this.#setting;
    const message = toBytes({ ...queued, without: this.#without(entry) });
    await hub.ask(() =>
      hub.js.publish(names.queueSubject(run, name), message, {
        msgID: `${queued.id}.${queued.check}.${process.pid}.${entry.tries}.${Math.round(entry.issued)}`,
      }),
    );
  }

  /**
   * Waits for a unit's result. Throws when it cannot be had, or when the run is to stop.
   *
   * @param hopeless ends the waiting for what the run can do without
   * @returns whether it is there
   */
  async wait(unit: Issued, signal: AbortSignal, hopeless = () => false): Promise<boolean> {
    const entry = this.#entries.get(unit.name) as Entry;
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!entry.done) {
        signal.throwIfAborted();
        if (this.#failure) throw this.#failure;
        if (hopeless()) return false;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(BEAT, this.#setting.waits.look));
          this.#wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        await this.#look();
      }
      return true;
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  /** Ends all waiting with an error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Ends the watch, and takes what is left of its units out of the queue. */
  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    const { hub, run, prefix } = this.#setting;
    if (hub.nc.isClosed()) return;
    const filter = names.queueSubject(run, `${prefix}.*`);
    await hub.jsm.streams.purge(names.queueStream(run), { filter }).catch(() => {});
  }

  /** Whom a unit is not for; a worker that failed at it is better than none. */
  #without({ unit, failures }: Entry): string[] {
    const { without } = unit.queued;
    const failed = [...failures.values()].map(({ worker }) => worker);
    const all = new Set([...without, ...failed]);
    return this.#setting.roster.present.some(({ worker }) => !all.has(worker)) ? [...all] : [...without];
  }

  async #look(): Promise<void> {
    const { store, run, prefix, roster, note, waits } = this.#setting;
    const now = performance.now();
    if (now - this.#looked > waits.look) {
      this.#looked = now;
      for (const subject of await store.subjects(names.resultSubject(run, `${prefix}.*`)))
        this.#arrived(subject);
    }
    for (const lost of roster.takeLost()) {
      note(`worker ${lost.worker} is gone`);
      if (lost.unit !== null) this.#lost(lost.unit, lost.worker);
    }
    if (roster.present.length > 0) this.#lonely = now;
    else if (now - this.#lonely > 30_000) {
      this.#lonely = Number.POSITIVE_INFINITY;
      note('no worker is there; waiting for one (osler worker --join)');
    }
    this.#findLate(now);
    for (const entry of this.#entries.values()) {
      if (!entry.again || entry.done) continue;
      entry.again = false;
      await this.issue(entry.unit);
    }
  }

  /** Whoever worked on a unit is gone. */
  #lost(name: string, worker: string): void {
    const entry = this.#entries.get(name);
    if (!entry || entry.done) return;
    entry.deaths++;
    entry.again = true;
    if (entry.deaths < MOST_DEATHS) return;
    this.#failure = new UnitFailure(
      `unit ${name} cannot be done: ${entry.deaths} workers ended over it, the last one ${worker}`,
    );
  }

  #findLate(now: number): void {
    const open = [...this.#entries.values()].filter(({ done }) => !done);
    const { roster, waits } = this.#setting;
    const { present } = roster;
    if (open.length === 0 || !roster.hasIdle(waits.idle)) return;
    const heard = roster.unitsInWork();
    for (const entry of open) {
      // The word that it goes back may be lost, or its worker with a server; at worst it is done twice.
      const quiet = (heard.get(entry.unit.name) ?? Number.POSITIVE_INFINITY) > waits.quiet;
      if (quiet && now - entry.issued > waits.quiet) entry.again = true;
    }
    if (this.#seconds.length === 0) return;
    const inWork = new Map(present.flatMap(({ unit, seconds }) => (unit === null ? [] : [[unit, seconds]])));
    const usual = [...this.#seconds].sort((a, b) => a - b)[Math.floor(this.#seconds.length / 2)];
    for (const entry of open) {
      const seconds = inWork.get(entry.unit.name);
      const late = Math.max(waits.grace / 1000, STRAGGLING * usual);
      // Not twice at once: the second one has its time, too.
      if (seconds === undefined || seconds < late || now - entry.issued < late * 1000) continue;
      entry.again = true;
    }
  }

  #arrived(subject: string): void {
    const entry = this.#entries.get(unitOf(subject));
    if (!entry || entry.done) return;
    entry.done = true;
    this.#seconds.push((performance.now() - entry.issued) / 1000);
    this.#wake();
  }

  #failed(subject: string, data: Uint8Array): void {
    const failure = fromBytes(FAILURE, data);
    const parts = subject.split('.');
    const entry = this.#entries.get(parts.slice(-4, -1).join('.'));
    if (!failure || !entry || entry.done) return;
    entry.failures.set(parts.at(-1) as string, failure);
    entry.again = true;
    const { name } = entry.unit;
    this.#setting.note(`worker ${failure.worker} failed at unit ${name}: ${failure.problem}`);
    if (entry.failures.size >= MOST_FAILURES) {
      this.#failure = new UnitFailure(
        `unit ${name} failed ${entry.failures.size} times, the last time on worker ${failure.worker}: ${failure.problem}`,
      );
    }
    this.#wake();
  }
}

/** A unit's name, at the end of a subject. */
function unitOf(subject: string): string {
  return subject.split('.').slice(-3).join('.');
}
