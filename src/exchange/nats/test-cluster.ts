/** What tests of the exchange share: a real server, toy units, workers in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { provideNatsServer } from '../../platform/launcher/nats.js';
import { NatsProcess } from '../../platform/launcher/nats-process.js';
import type { Codec, UnitStep, WeightPort, Work } from '../exchange.js';
import { type Announcement, Hub, LeaderExchange, runWorker } from './index.js';

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
    ['b', new Float32Array(400_000)],
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
      return new Float32Array(400_000).fill(value * first + shared.length + lie);
    },
  };
}

/** A step for units. */
export function toyStep(step: number, signal: UnitStep['signal'] = new AbortController().signal): UnitStep {
  return { step, signal, phase: async (_, body) => body() };
}

/** A server, and what speaks to it; end it after the test. */
export class TestCluster {
  readonly server: NatsProcess;
  readonly folder: string;
  readonly notes: string[] = [];
  readonly weights = new ToyWeights();
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

  async leader({ run = 'run', verify = 0 } = {}): Promise<LeaderExchange> {
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

  async end(): Promise<void> {
    for (const { stop, ended } of this.#workers) {
      stop.abort();
      await ended.catch(() => {});
    }
    for (const hub of this.#hubs) await hub.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
