/** How long the rest of a part of a step will take, by what was done since it began. */
import type { StepPart } from './task.js';

/** See above. */
export class PartClock {
  #what = '';
  #step = -1;
  #done = 0;
  #first = 0;
  #start = 0;

  /** Seconds that are left of a part; undefined while nothing is known. */
  left(step: number, { what, done, of }: StepPart, now = performance.now()): number | undefined {
    // Where less is done than before, it is another part of the same kind.
    if (step !== this.#step || what !== this.#what || done < this.#done) {
      this.#start = now;
      this.#first = done;
    }
    [this.#step, this.#what, this.#done] = [step, what, done];
    const some = done - this.#first;
    if (some <= 0) return undefined;
    return ((now - this.#start) / 1000 / some) * Math.max(0, of - done);
  }
}
