/** The leader's exchange: units go into the queue, results come back from the store, in order. */
import { AckPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos, type Subscription } from '@nats-io/transport-node';
import type { Exchange, UnitBatch, UnitStep, WeightPort, Work } from '../exchange.js';
import { decodePacket, digestOf } from '../packet.js';
import type { Hub } from './hub.js';
import { type Announcement, fromBytes, type LeaderBeat, REFUSAL, TWIN, toBytes } from './messages.js';
import * as names from './names.js';
import { BEAT, Roster } from './roster.js';
import { StoreShelf } from './shelf.js';
import { Store, type Stored } from './store.js';
import { type Issued, UnitWatch, WAITS, type Waits } from './unit-watch.js';
import { isDue, verify } from './verify.js';
import { VersionWriter } from './versions.js';

/** Seconds after which a unit whose worker gave no sign is given to another one, whatever else is known. */
const ACK_WAIT = 60;
/** Steps back for which results are kept that are small and took long: a run that is resumed finds them. */
const KEPT_STEPS = 64;

/** What a leader's exchange is made from. */
export interface LeaderSetting {
  readonly hub: Hub;
  readonly announcement: Announcement;
  readonly weights: WeightPort;
  /** Share of the units that two workers compute, to be compared; 0 by default. */
  readonly verify?: number;
  /** When units are given out again, where tests cannot wait so long. */
  readonly waits?: Waits;
  /** Shows the user one line. */
  note(line: string): void;
}

/** See above; make it with {@link LeaderExchange.open}. */
export class LeaderExchange implements Exchange {
  readonly roster: Roster;
  readonly #setting: LeaderSetting;
  readonly #run: string;
  readonly #store: Store;
  readonly #shelf: StoreShelf;
  readonly #versions: VersionWriter;
  readonly #beating: NodeJS.Timeout;
  readonly #subscriptions: Subscription[];
  readonly #said = new Set<string>();
  /** Workers that are put out. */
  readonly #out = new Set<string>();
  #announcement = '';
  #step = 0;
  #weights = '';
  #counts = { redone: 0, reused: 0, differing: 0, verified: 0 };
  #bytes = 0;
  #watch: UnitWatch | null = null;
  #failure: Error | null = null;

  private constructor(setting: LeaderSetting) {
    const { hub, announcement, weights } = setting;
    this.#setting = setting;
    this.#run = announcement.run;
    this.#store = new Store(hub, names.storeStream(this.#run));
    this.#shelf = new StoreShelf(this.#run, this.#store);
    this.#versions = new VersionWriter(this.#run, this.#store, weights);
    this.roster = new Roster(hub, this.#run);
    this.roster.onJoin = ({ worker }) => setting.note(`worker ${worker} has joined`);
    this.#beating = setInterval(() => this.#beat('running'), BEAT);
    this.#subscriptions = [
      hub.nc.subscribe(names.HELLO, { callback: () => this.#beat('running') }),
      hub.nc.subscribe(names.twinSubject(this.#run), { callback: (_, { data }) => this.#twin(data) }),
      hub.nc.subscribe(names.refusalSubject(this.#run), { callback: (_, { data }) => this.#refusal(data) }),
    ];
  }

  /** Makes the run known. One that is resumed finds what it had. */
  static async open(setting: LeaderSetting): Promise<LeaderExchange> {
    await makeStreams(setting.hub, setting.announcement.run);
    const leader = new LeaderExchange(setting);
    try {
      await leader.#announce();
    } catch (error) {
      await leader.close();
      throw error;
    }
    return leader;
  }

  async run<Input, Output>(
    work: Work<Input, Output>,
    { inputs, first = 0 }: UnitBatch<Input>,
    step: UnitStep,
    take: (result: Output) => void,
  ): Promise<void> {
    await this.#begin(step.step);
    const { hub, note } = this.#setting;
    const watch = new UnitWatch({
      hub,
      run: this.#run,
      store: this.#store,
      roster: this.roster,
      prefix: `${step.step}.${work.kind}`,
      waits: this.#setting.waits ?? WAITS,
      note,
    });
    this.#watch = watch;
    if (this.#failure) watch.fail(this.#failure);
    try {
      const units: Issued[] = [];
      for (const [i, input] of inputs.entries()) {
        units.push(await this.#issue(watch, work, input, step.step, first + i));
      }
      for (const unit of units) {
        const stored = await step.phase('cluster', () => this.#trusted(watch, unit, step.signal));
        this.#bytes += stored.bytes.length;
        take(await work.output.unpack(decodePacket(stored.bytes), this.#shelf));
      }
    } finally {
      this.#counts.redone += watch.redone;
      this.#watch = null;
      await watch.close();
    }
  }

  /** Ends the run with an error: nobody is left to do its units. */
  fail(error: Error): void {
    this.#failure = error;
    this.#watch?.fail(error);
  }

  metrics(): Record<string, number> {
    const { redone, reused, differing, verified } = this.#counts;
    const bytes = this.#bytes + this.#shelf.bytes + this.#versions.bytes;
    this.#counts = { redone: 0, reused: 0, differing: 0, verified: 0 };
    this.#bytes = this.#shelf.bytes = this.#versions.bytes = 0;
    return {
      'cluster/workers': this.roster.present.length,
      'cluster/units_redone': redone,
      'cluster/units_reused': reused,
      'cluster/units_verified': verified,
      'cluster/twins_differing': differing,
      'cluster/bytes': bytes,
    };
  }

  /** Lets the workers go. With `forget` the server keeps nothing: the run is finished. */
  async close({ forget = false } = {}): Promise<void> {
    clearInterval(this.#beating);
    const { hub } = this.#setting;
    if (!hub.nc.isClosed()) {
      this.#beat('ended');
      for (const subscription of this.#subscriptions) subscription.unsubscribe();
      this.roster.close();
      if (forget) {
        const streams = [names.queueStream(this.#run), names.storeStream(this.#run)];
        for (const stream of streams) await hub.jsm.streams.delete(stream).catch(() => {});
      }
    }
  }

  async #issue<Input>(
    watch: UnitWatch,
    work: Work<Input, unknown>,
    input: Input,
    step: number,
    index: number,
  ): Promise<Issued> {
    const packet = await work.input.pack(input, this.#shelf);
    const onShelf = await this.#shelf.put(packet, () => packet);
    const weights = this.#weights;
    const id = await digestOf(toBytes([weights, onShelf, work.kind, index]));
    const name = names.unitName(step, work.kind, index);
    const queued = { step, kind: work.kind, index, id, weights, input: onShelf, check: 0, without: [] };
    const unit: Issued = { name, queued };
    const there = await this.#store.labelOf(names.resultSubject(this.#run, name), names.ID_LABEL);
    if (there === id) {
      this.#counts.reused++;
      watch.expect(unit, true);
      return unit;
    }
    // Of an earlier try that computed something else.
    if (there !== undefined) await this.#store.purge(names.resultSubject(this.#run, name));
    watch.expect(unit, false);
    await watch.issue(unit);
    return unit;
  }

  /** Waits for the result of a unit that counts: of a worker that is not put out, compared with another's where it is due. */
  async #trusted(watch: UnitWatch, unit: Issued, signal: AbortSignal): Promise<Stored> {
    const subject = names.resultSubject(this.#run, unit.name);
    let due = isDue(this.#setting.verify ?? 0);
    for (;;) {
      await watch.wait(unit, signal);
      const stored = await this.#store.get(subject);
      if (!stored) {
        // A server that is killed may lose what it took last.
        await watch.issue(unit);
      } else if (this.#out.has(stored.label(names.WORKER_LABEL))) {
        await this.#store.purge(subject);
        await watch.issue(unit);
      } else if (due) {
        due = false;
        await this.#verify(watch, unit, signal);
      } else {
        return stored;
      }
    }
  }

  async #verify(watch: UnitWatch, unit: Issued, signal: AbortSignal): Promise<void> {
    const { note } = this.#setting;
    const setting = { run: this.#run, store: this.#store, roster: this.roster, watch, signal, note };
    const { checked, wrong } = await verify(unit, setting);
    if (checked) this.#counts.verified++;
    if (wrong === null) return;
    this.#counts.differing++;
    this.#out.add(wrong);
    this.#beat('running');
    this.roster.hasEnded(wrong);
  }

  /** Before the first units of a step: publishes the weights, and deletes what nobody needs any more. */
  async #begin(step: number): Promise<void> {
    if (step === this.#step) return;
    this.#shelf.begin(step);
    this.#weights = await this.#versions.publish(step);
    const before = this.#step;
    this.#step = step;
    const forget = (subject: string) => this.#store.purge(subject);
    if (before > 0 && before < step) {
      await forget(names.shelfSubject(this.#run, `${before}.>`));
      await forget(names.resultSubjects(this.#run, before, 'lane'));
      await forget(names.failureSubjects(this.#run, before));
    }
    if (step > KEPT_STEPS) await forget(names.resultSubjects(this.#run, step - KEPT_STEPS));
  }

  async #announce(): Promise<void> {
    const bytes = toBytes(this.#setting.announcement);
    this.#announcement = await digestOf(bytes);
    const subject = names.runSubject(this.#run);
    await this.#store.purge(subject);
    await this.#store.put(subject, bytes);
    this.#beat('running');
  }

  #beat(state: LeaderBeat['state']): void {
    const { nc } = this.#setting.hub;
    if (nc.isClosed() || this.#announcement === '') return;
    nc.publish(
      names.leaderBeat(this.#run),
      toBytes({ run: this.#run, announcement: this.#announcement, state, out: [...this.#out] }),
    );
  }

  /** Two results for one unit, which must be equal. */
  #twin(data: Uint8Array): void {
    const twin = fromBytes(TWIN, data);
    if (!twin || twin.digest === twin.first) return;
    this.#counts.differing++;
    this.#setting.note(
      `warning: worker ${twin.worker} has another result for unit ${twin.unit} than the one that counts; one of two workers computes wrongly`,
    );
  }

  #refusal(data: Uint8Array): void {
    const refusal = fromBytes(REFUSAL, data);
    const line = refusal && `worker ${refusal.worker} is not let in: ${refusal.problem}`;
    if (!line || this.#said.has(line)) return;
    this.#said.add(line);
    this.#setting.note(line);
  }
}

/** The streams of a run, on disk. */
async function makeStreams(hub: Hub, run: string): Promise<void> {
  const common = { storage: StorageType.File, num_replicas: 1, discard: DiscardPolicy.New };
  await hub.ask(() =>
    hub.jsm.streams.add({
      ...common,
      name: names.storeStream(run),
      subjects: [names.storeSubjects(run)],
      retention: RetentionPolicy.Limits,
      max_msgs_per_subject: 1,
      allow_direct: true,
    }),
  );
  await hub.ask(() =>
    hub.jsm.streams.add({
      ...common,
      name: names.queueStream(run),
      subjects: [names.queueSubjects(run)],
      retention: RetentionPolicy.Workqueue,
    }),
  );
  await hub.ask(() =>
    hub.jsm.consumers.add(names.queueStream(run), {
      durable_name: names.QUEUE_CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT * 1000),
      max_ack_pending: -1,
    }),
  );
}
