/** What tests of the exchange share: a real server, toy units, workers in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { provideNatsServer } from '../../platform/launcher/nats.js';
import { NatsProcess } from '../../platform/launcher/nats-process.js';
import type { Codec, UnitStep, WeightPort, Work } from '../exchange.js';
import { type Announcement, Hub, LeaderExchange, runWorker } from './index.js';
import { resultSubject, storeStream } from './names.js';
import { Store } from './store.js';

/** A number in, a list of numbers out. */
export interface ToyInput {
  readonly value: number;
  readonly shared: Float32Array;
}

/** What a test does before a unit. */
export type Before = (value: number, signal: UnitStep['signal']) => Promise<void>;

/** A worker in this process. */
export interface ToyWorker {
  readonly weights: ToyWeights;
  /** Settles when it has ended, which it does by itself only where it is refused. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Weights that can be set. */
export class ToyWeights implements WeightPort {
  readonly values = new Map([
    ['a', new Float32Array([1])],
    ['b', new Float32Array(300_000)],
  ]);

  names() {
    return [...this.values.keys()];
  }

  async read(name: string) {
    return new Uint8Array((this.values.get(name) as Float32Array).slice().buffer);
  }

  write(name: string, bytes: Uint8Array) {
    this.values.set(name, new Float32Array(bytes.slice().buffer));
  }
}

const input: Codec<ToyInput> = {
  pack: async ({ value, shared }, shelf) => ({
    json: { shared: await shelf.put(shared, () => ({ json: null, arrays: { shared } })) },
    arrays: { value: Float64Array.of(value) },
  }),
  unpack: async ({ json, arrays }, shelf) => {
    const { shared } = json as { shared: string };
    const taken = await shelf.take(shared, (packet) => packet.arrays.shared as Float32Array);
    return { value: arrays.value[0], shared: taken };
  },
};

const output: Codec<Float32Array> = {
  pack: async (value) => ({ json: null, arrays: { value } }),
  unpack: async ({ arrays }) => arrays.value as Float32Array,
};

/** Work whose result depends on the input, on what units share, and on the weights. */
export function toyWork(
  weights: ToyWeights,
  before: Before = async () => {},
  lie = 0,
  kind: 'rollout' | 'score' | 'lane' = 'lane',
): Work<ToyInput, Float32Array> {
  return {
    kind,
    input,
    output,
    run: async ({ value, shared }, { signal }) => {
      await before(value, signal);
      const [first] = weights.values.get('a') as Float32Array;
      // Larger than a message, so that it travels in parts.
      return new Float32Array(300_000).fill(value * first + shared.length + lie);
    },
  };
}

/** A step for units. */
export function toyStep(step: number, signal: UnitStep['signal'] = new AbortController().signal): UnitStep {
  return { step, signal, phase: async (_, body) => body() };
}

/** Of tests of units that are given out again. */
const WAITS = { look: 200, grace: 300, quiet: 1200, idle: 200 };

/** A server, and what speaks to it: let go after each test, ended after the last. */
export class TestCluster {
  readonly server: NatsProcess;
  readonly folder: string;
  notes: string[] = [];
  weights = new ToyWeights();
  #run = 0;
  readonly #hubs: Hub[] = [];
  readonly #workers: { stop: AbortController; ended: Promise<void> }[] = [];

  private constructor(server: NatsProcess, folder: string) {
    this.server = server;
    this.folder = folder;
  }

  static async start(): Promise<TestCluster> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-nats-'));
    const binary = provideNatsServer(() => {});
    return new TestCluster(await NatsProcess.start({ binary, folder, token: 'secret' }), folder);
  }

  async hub(name: string): Promise<Hub> {
    const hub = await Hub.open({ url: this.server.url, token: 'secret' }, name);
    this.#hubs.push(hub);
    return hub;
  }

  /** Has the server lose the result of a unit. */
  async lose(unit: string): Promise<void> {
    const run = `run-${this.#run}`;
    const store = new Store(await this.hub('thief'), storeStream(run));
    await store.purge(resultSubject(run, unit));
  }

  /** The leader of a run of the test; with `hurry` it gives units out again soon. */
  async leader({ verify = 0, hurry = false } = {}): Promise<LeaderExchange> {
    const run = `run-${this.#run}`;
    const announcement: Announcement = {
      run,
      osler: '0',
      task: 'toy',
      fingerprint: 'cpu',
      config: {},
      configDigest: '0'.repeat(64),
      files: {},
      kernels: {},
      task_setting: null,
    };
    return LeaderExchange.open({
      hub: await this.hub('leader'),
      announcement,
      weights: this.weights,
      verify,
      ...(hurry ? { waits: WAITS } : {}),
      note: (line) => void this.notes.push(line),
    });
  }

  /** A worker; `before` is called before each unit, and `lie` is added to its results. */
  async worker(name: string, before?: Before, lie = 0): Promise<ToyWorker> {
    const stop = new AbortController();
    const weights = new ToyWeights();
    weights.values.set('a', new Float32Array([99]));
    const work = toyWork(weights, before, lie) as never;
    const ended = runWorker({
      hub: await this.hub(name),
      worker: name,
      host: 'here',
      fingerprint: 'cpu',
      open: async () => ({ works: { rollout: work, score: work, lane: work }, weights, dispose: () => {} }),
      note: () => {},
      signal: stop.signal,
    });
    // Whoever looks at how it ended is told later.
    ended.catch(() => {});
    this.#workers.push({ stop, ended });
    const end = async () => {
      stop.abort();
      await ended;
    };
    return { weights, ended, stop: end };
  }

  /** Lets everybody go; whoever comes next has another run. */
  async letGo(): Promise<void> {
    await Promise.all(
      this.#workers.splice(0).map(({ stop, ended }) => {
        stop.abort();
        return ended.catch(() => {});
      }),
    );
    await Promise.all(this.#hubs.splice(0).map((hub) => hub.close()));
    this.notes = [];
    this.weights = new ToyWeights();
    this.#run++;
  }

  async end(): Promise<void> {
    await this.letGo();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
