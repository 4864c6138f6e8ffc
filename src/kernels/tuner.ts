/**
 * Choosing between equivalent ways to compute something, by measuring them.
 *
 * A kernel family asks `choose` at every launch. A shape that was never measured gets the family's rule of thumb and is
 * noted; `await tune()` measures what was noted and keeps the winners, in a store on disk if there is one. Before a
 * run's first step: `pin()`. After that nothing changes any more, so that reruns agree bit for bit; what it returns goes into the
 * run's record and back into `pin` on resume.
 */
import type { Gpu } from '../gpu/index.js';

/** One way to compute something; plain JSON. */
export type Choice = object;

/** Choices by key, as they are stored. */
export type Choices = Readonly<Record<string, unknown>>;

/** Something with several ways to compute it, described by sizes alone: it must not hold on to tensors. */
export interface Task<C extends Choice> {
  /** What an unmeasured shape gets. */
  readonly rule: C;
  /** All valid ways. A stored choice that is not among them is ignored. */
  readonly candidates: readonly C[];
  /** Makes scratch inputs; `run` records one computation. */
  prepare(): { run(choice: C): void; dispose(): void };
}

/** Where choices survive the process. */
export interface TunerStore {
  load(): Promise<Choices>;
  save(choices: Choices): Promise<void>;
}

/** Options of {@link Tuner}. */
export interface TunerOptions {
  readonly store?: TunerStore;
  /** Told of each measured task: the times in milliseconds, in the order of the candidates. */
  readonly onMeasured?: (key: string, choice: Choice, milliseconds: readonly number[]) => void;
}

/** How much faster than the rule of thumb a candidate must be to replace it: less is noise. */
const WORTHWHILE = 0.95;
const ROUNDS = 5;
/** Each sample repeats the work for about this long. */
const SAMPLE_MS = 4;
const MOST_REPEATS = 64;

/** The choices of one device. */
export class Tuner {
  readonly #gpu: Gpu;
  readonly #options: TunerOptions;
  /** From disk or from a run's record; not yet known to be valid. */
  readonly #stored = new Map<string, unknown>();
  readonly #settled = new Map<string, Choice>();
  readonly #noted = new Map<string, Task<Choice>>();
  #frozen = false;

  /** Starts without any choices; see {@link Tuner.load} and {@link Tuner.import}. */
  constructor(gpu: Gpu, options: TunerOptions = {}) {
    this.#gpu = gpu;
    this.#options = options;
  }

  /** Number of shapes that `tune` would measure. */
  get pending(): number {
    return this.#noted.size;
  }

  /** The way to compute the task of this key. `describe` is called once per key, with the device that is chosen for. */
  choose<C extends Choice>(key: string, describe: (gpu: Gpu) => Task<C>): C {
    const settled = this.#settled.get(key);
    if (settled) return settled as C;
    const task = describe(this.#gpu);
    const stored = this.#stored.get(key);
    const text = stored === undefined ? undefined : canonical(stored);
    const known = text === undefined ? undefined : task.candidates.find((c) => canonical(c) === text);
    if (!known && !this.#frozen && task.candidates.length > 1) {
      this.#noted.set(key, task as unknown as Task<Choice>);
    }
    const choice = known ?? task.rule;
    this.#settled.set(key, choice);
    return choice;
  }

  /** Measures the shapes noted so far and keeps the fastest way of each. */
  async tune(): Promise<void> {
    if (this.#frozen || this.#noted.size === 0) return;
    for (const [key, task] of [...this.#noted]) {
      this.#noted.delete(key);
      const choice = await this.#measure(key, task);
      this.#settled.set(key, choice);
      this.#stored.set(key, choice);
    }
    await this.#options.store?.save(Object.fromEntries(this.#stored));
  }

  /** Ends all changes: shapes that are still unknown get the rule of thumb from now on. */
  freeze(): void {
    this.#frozen = true;
    this.#noted.clear();
  }

  /**
   * Ends all changes, and returns what a run has to record for its resumption: with that as `recorded`, the same choices
   * are made again, whatever was measured meanwhile.
   */
  pin(recorded?: Choices): Choices {
    if (recorded) {
      this.#stored.clear();
      this.#settled.clear();
      this.import(recorded);
    }
    this.freeze();
    return Object.fromEntries(this.#stored);
  }

  /** Takes over choices from the store; those already in use stay. */
  async load(): Promise<void> {
    this.import((await this.#options.store?.load()) ?? {});
  }

  /** Takes over recorded choices; those already in use stay. */
  import(choices: Choices): void {
    for (const [key, choice] of Object.entries(choices)) this.#stored.set(key, choice);
  }

  async #measure(key: string, task: Task<Choice>): Promise<Choice> {
    const work = task.prepare();
    const samples: number[][] = task.candidates.map(() => []);
    try {
      const repeats: number[] = [];
      for (const choice of task.candidates) {
        await this.#time(() => work.run(choice), 1); // compiles
        const once = await this.#time(() => work.run(choice), 1);
        repeats.push(Math.max(1, Math.min(MOST_REPEATS, Math.round(SAMPLE_MS / once))));
      }
      // Rounds over all candidates, so that a disturbance hits them alike.
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, choice] of task.candidates.entries()) {
          samples[i].push(await this.#time(() => work.run(choice), repeats[i]));
        }
      }
    } finally {
      work.dispose();
    }
    const times = samples.map((s) => s.sort((a, b) => a - b)[ROUNDS >> 1]);
    const rule = task.candidates.findIndex((c) => canonical(c) === canonical(task.rule));
    const best = times.indexOf(Math.min(...times));
    const winner = rule >= 0 && times[best] > times[rule] * WORTHWHILE ? rule : best;
    this.#options.onMeasured?.(key, task.candidates[winner], times);
    return task.candidates[winner];
  }

  /** Milliseconds per repetition. */
  async #time(run: () => void, repeats: number): Promise<number> {
    await this.#gpu.sync();
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    await this.#gpu.sync();
    return (performance.now() - start) / repeats;
  }
}

/** Text that is equal for equal choices, whatever the order of their fields. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(JSON.stringify(value));
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const tuners = new WeakMap<Gpu, Tuner>();

/** The tuner of a device; one without a store unless {@link attachTuner} gave another. */
export function tunerFor(gpu: Gpu): Tuner {
  let tuner = tuners.get(gpu);
  if (!tuner) {
    tuner = new Tuner(gpu);
    tuners.set(gpu, tuner);
  }
  return tuner;
}

/** Makes kernels on this device ask a tuner. */
export function attachTuner(gpu: Gpu, tuner: Tuner): void {
  tuners.set(gpu, tuner);
}

/** The next power of two: shapes that vary from step to step share a bucket. */
export function bucket(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}
