/** A worker: waits for a run, does its units, and goes back to waiting when the run is over. */
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { UnitKind, WeightPort, Work } from '../exchange.js';
import { digestOf, encodePacket } from '../packet.js';
import { ClusterError } from './errors.js';
import type { Hub } from './hub.js';
import {
  ANNOUNCEMENT,
  type Announcement,
  fromBytes,
  LEADER_BEAT,
  QUEUED,
  type Queued,
  toBytes,
  type WorkerBeat,
} from './messages.js';
import * as names from './names.js';
import { BEAT } from './roster.js';
import { StoreShelf } from './shelf.js';
import { Store } from './store.js';
import { VersionReader } from './versions.js';

/** Seconds after which a leader that gives no sign is no reason to keep a model loaded. */
const LEADER_SILENCE = 60;
/** Milliseconds for which a worker asks the queue at a time. */
const ASK = 2000;
/** Milliseconds between words that a unit is still worked on. */
const WORKING = 10_000;
/** Milliseconds for which somebody else can take a unit that is not for this worker. */
const ASIDE = 500;

/** What a run's units are done with. */
export interface UnitHost {
  readonly works: Readonly<Record<UnitKind, Work<never, unknown>>>;
  readonly weights: WeightPort;
  dispose(): void;
}

/** What a worker is made from. */
export interface WorkerSetting {
  readonly hub: Hub;
  /** A name that no other worker has. */
  readonly worker: string;
  readonly host: string;
  readonly fingerprint: string;
  /** Loads what a run needs; throws a {@link ClusterError} of kind `refused` where this worker cannot do it. */
  open(announcement: Announcement, store: Store): Promise<UnitHost>;
  /** Shows the user one line. */
  note(line: string): void;
  /** Ends the worker; the unit in work goes back to the queue. */
  readonly signal: AbortSignal;
}

/** Works until the signal. */
export async function runWorker(setting: WorkerSetting): Promise<void> {
  const { note, signal } = setting;
  note(`worker ${setting.worker} waits for a run at ${setting.hub.url}`);
  while (!signal.aborted) {
    const run = await nextRun(setting);
    if (run === undefined) return;
    const worker = new RunWorker(setting, run.run, run.announcement);
    try {
      await worker.serve();
    } finally {
      worker.close();
    }
  }
}

interface FoundRun {
  readonly run: string;
  readonly announcement: string;
}

/** Waits for a leader's sign of life. */
async function nextRun({ hub, signal }: WorkerSetting): Promise<FoundRun | undefined> {
  const subscription = hub.nc.subscribe(names.LEADER_BEATS);
  const stop = () => subscription.unsubscribe();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) return undefined;
    hub.nc.publish(names.HELLO);
    for await (const { data } of subscription) {
      const beat = fromBytes(LEADER_BEAT, data);
      if (beat?.state === 'running') return beat;
    }
    return undefined;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** A worker's time with one run. */
class RunWorker {
  readonly #setting: WorkerSetting;
  readonly #run: string;
  readonly #announcement: string;
  readonly #store: Store;
  readonly #shelf: StoreShelf;
  readonly #beating: NodeJS.Timeout;
  readonly #over = new AbortController();
  #heard = performance.now();
  #versions: VersionReader | null = null;
  #host: UnitHost | null = null;
  #state: WorkerBeat['state'] = 'loading';
  #unit: string | null = null;
  #isOut = false;
  #since = 0;
  #counts = { done: 0, failed: 0, busy: 0 };

  constructor(setting: WorkerSetting, run: string, announcement: string) {
    const { hub, signal } = setting;
    this.#setting = setting;
    this.#run = run;
    this.#announcement = announcement;
    this.#store = new Store(hub, names.storeStream(run));
    this.#shelf = new StoreShelf(run, this.#store);
    this.#beating = setInterval(() => this.#beat(), BEAT);
    const leader = hub.nc.subscribe(names.leaderBeat(run), {
      callback: (_, { data }) => this.#hear(data),
    });
    this.#over.signal.addEventListener('abort', () => leader.unsubscribe());
    const stop = () => this.#over.abort();
    signal.addEventListener('abort', stop);
    this.#over.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
  }

  /** Does units until the run is over, or its leader is gone. */
  async serve(): Promise<void> {
    const { hub, note, worker } = this.#setting;
    const stored = await this.#store.get(names.runSubject(this.#run)).catch(() => undefined);
    const announcement = stored && fromBytes(ANNOUNCEMENT, stored.bytes);
    // Replaced a moment ago, or gone.
    if (!announcement || stored.digest !== this.#announcement) return;
    this.#beat();
    try {
      this.#host = await this.#setting.open(announcement, this.#store);
    } catch (error) {
      const problem = (error as Error).message;
      hub.nc.publish(names.refusalSubject(this.#run), toBytes({ worker, problem }));
      throw error;
    }
    note(`works on run ${this.#run}`);
    this.#versions = new VersionReader(this.#run, this.#store, this.#host.weights);
    const { signal } = this.#over;
    let consumer: Consumer | null = null;
    while (!signal.aborted) {
      this.#state = 'idle';
      if (performance.now() - this.#heard > LEADER_SILENCE * 1000) {
        note(`the leader of run ${this.#run} is gone; waiting for it, or for another run`);
        return;
      }
      try {
        consumer ??= await hub.js.consumers.get(names.queueStream(this.#run), names.QUEUE_CONSUMER);
        for await (const message of await this.#ask(consumer)) await this.#take(message);
      } catch (error) {
        if (error instanceof ClusterError) throw error;
        // A server that is away for a while.
        consumer = null;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
    if (this.#isOut) {
      throw new ClusterError(
        'refused',
        `the leader of run ${this.#run} has put this worker out: two others agreed on a result that it had otherwise; test its memory and driver (osler doctor)`,
      );
    }
  }

  /** Frees the model. */
  close(): void {
    clearInterval(this.#beating);
    this.#state = 'leaving';
    this.#beat();
    this.#over.abort();
    this.#host?.dispose();
    this.#host = null;
  }

  /** At most one unit, now or in a while; a worker that is to end does not wait for it. */
  async #ask(consumer: Consumer): Promise<ConsumerMessages> {
    const messages = await consumer.fetch({ max_messages: 1, expires: ASK });
    const { signal } = this.#over;
    const stop = () => messages.stop();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    void messages.closed().then(() => signal.removeEventListener('abort', stop));
    return messages;
  }

  /** One unit from the queue. */
  async #take(message: JsMsg): Promise<void> {
    const queued = fromBytes(QUEUED, message.data);
    if (!queued) {
      message.term('not a unit');
      return;
    }
    if (queued.without.includes(this.#setting.worker)) {
      message.nak(ASIDE);
      await new Promise((resolve) => setTimeout(resolve, ASIDE / 2));
      return;
    }
    const name = names.unitName(queued.step, queued.kind, queued.index, queued.check);
    this.#state = 'working';
    this.#unit = name;
    this.#since = performance.now();
    this.#beat();
    const working = setInterval(() => message.working(), WORKING);
    try {
      await this.#do(queued, name, message);
    } catch (error) {
      if (this.#over.signal.aborted) message.nak();
      else await this.#fail(name, message, error as Error);
    } finally {
      clearInterval(working);
      this.#counts.busy += (performance.now() - this.#since) / 1000;
      this.#unit = null;
      this.#state = 'idle';
      this.#beat();
    }
  }

  async #do(queued: Queued, name: string, message: JsMsg): Promise<void> {
    const { worker, hub } = this.#setting;
    const host = this.#host as UnitHost;
    const subject = names.resultSubject(this.#run, name);
    this.#shelf.begin(queued.step);
    const known = (await this.#store.labelOf(subject, names.ID_LABEL)) === queued.id;
    // Given out again, and finished meanwhile; or of a step that is over.
    if (known || !(await this.#versions?.become(queued.weights))) {
      message.ack();
      return;
    }
    const work = host.works[queued.kind] as Work<unknown, unknown>;
    const { signal } = this.#over;
    const context = { signal, phase: async <T>(_: string, body: () => T | Promise<T>) => body() };
    const input = await work.input.unpack(await this.#shelf.fetch(queued.input), this.#shelf);
    const output = await work.run(input, context);
    let bytes: Uint8Array;
    try {
      bytes = encodePacket(await work.output.pack(output, this.#shelf));
    } finally {
      work.dispose?.(output);
    }
    signal.throwIfAborted();
    const first = await this.#store.put(subject, bytes, {
      [names.ID_LABEL]: queued.id,
      [names.WORKER_LABEL]: worker,
    });
    if (first !== undefined) {
      const digest = await digestOf(bytes);
      hub.nc.publish(names.twinSubject(this.#run), toBytes({ unit: name, digest, first, worker }));
    }
    this.#counts.done++;
    message.ack();
  }

  /** Says that a unit failed here; whether it is tried again is the leader's to say. */
  async #fail(name: string, message: JsMsg, error: Error): Promise<void> {
    const { worker, hub, note } = this.#setting;
    this.#counts.failed++;
    note(`unit ${name} failed: ${error.message}`);
    const delivery = `${message.seq}-${message.info.deliveryCount}`;
    const problem = error.message;
    await hub.ask(() =>
      hub.js.publish(names.failureSubject(this.#run, name, delivery), toBytes({ worker, problem })),
    );
    message.term(problem);
  }

  #hear(data: Uint8Array): void {
    const beat = fromBytes(LEADER_BEAT, data);
    if (beat?.run !== this.#run) return;
    this.#heard = performance.now();
    this.#isOut = beat.out.includes(this.#setting.worker);
    // Ended, or resumed with other settings.
    if (this.#isOut || beat.state === 'ended' || beat.announcement !== this.#announcement) this.#over.abort();
  }

  #beat(): void {
    const { hub, worker, host, fingerprint } = this.#setting;
    if (hub.nc.isClosed()) return;
    const beat: WorkerBeat = {
      worker,
      host,
      fingerprint,
      state: this.#state,
      unit: this.#unit,
      seconds: this.#unit === null ? 0 : (performance.now() - this.#since) / 1000,
      ...this.#counts,
      bytes: this.#shelf.bytes + (this.#versions?.bytes ?? 0),
    };
    hub.nc.publish(names.workerBeat(this.#run, worker), toBytes(beat));
  }
}
