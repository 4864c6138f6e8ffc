/**
 * How far the step under way is, in `progress.json` of the run, for those who watch its folder. It is there only while a step takes
 * long: what a run leaves behind does not depend on how fast it was.
 */
import { atomicWrite, join, removeAll } from '../platform/files.js';
import type { ProgressEvent, TrainingListener } from './events.js';
import { PartClock } from './part-clock.js';
import type { StepPart } from './task.js';

/** Name of the file. */
export const PROGRESS_FILE = 'progress.json';

/** What is in it. */
export interface StepProgress extends StepPart {
  readonly step: number;
  readonly totalSteps: number;
  /** Since the step began, and until the part is done, where that is known. */
  readonly seconds: number;
  readonly left?: number;
}

/** Milliseconds between writes, and before the first of a step. */
const EVERY = 2000;

/** Writes it. */
export class ProgressFile implements TrainingListener {
  readonly #file: string;
  readonly #every: number;
  readonly #parts = new PartClock();
  #turn: Promise<void> = Promise.resolve();
  #written = performance.now();
  #there = false;

  constructor(runDir: string, every = EVERY) {
    this.#file = join(runDir, PROGRESS_FILE);
    this.#every = every;
  }

  onProgress({ step, totalSteps, seconds, part }: ProgressEvent): void {
    const left = this.#parts.left(step, part);
    const now = performance.now();
    if (now - this.#written < this.#every) return;
    this.#written = now;
    this.#there = true;
    const rest = left === undefined ? {} : { left };
    const progress: StepProgress = { step, totalSteps, seconds, ...part, ...rest };
    this.#then(() => atomicWrite(this.#file, `${JSON.stringify(progress)}\n`));
  }

  onStep(): Promise<void> {
    return this.#clear();
  }

  close(): Promise<void> {
    return this.#clear();
  }

  #clear(): Promise<void> {
    this.#written = performance.now();
    if (this.#there) this.#then(() => removeAll(this.#file));
    this.#there = false;
    return this.#turn;
  }

  /** One after another; that nobody can watch is no reason to end a run. */
  #then(write: () => Promise<void>): void {
    this.#turn = this.#turn.then(write).catch(() => {});
  }
}
