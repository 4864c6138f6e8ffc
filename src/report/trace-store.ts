/** The traces of a run, thinned out evenly when there are too many to keep. */
import type { StepTally, TraceGroup } from './model.js';

/**
 * Keeps at most about `capacity` completions: when there are more, every second step is forgotten, then every second of
 * the rest, so that what stays is spread over the whole run. Tallies count every completion, kept or not.
 */
export class TraceStore {
  readonly #capacity: number;
  readonly #groups = new Map<string, TraceGroup>();
  readonly #tallies = new Map<string, StepTally>();
  #held = 0;
  #seen = 0;
  #stride = 1;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity;
  }

  /** Completions that were added. */
  get seen(): number {
    return this.#seen;
  }

  /** Completions that are kept. */
  get held(): number {
    return this.#held;
  }

  /** Groups that are kept, in the order of their steps. */
  get groups(): TraceGroup[] {
    return [...this.#groups.values()].sort((a, b) => a.step - b.step);
  }

  /** Counts of all completions. */
  get tallies(): StepTally[] {
    return [...this.#tallies.values()];
  }

  /** Adds a group; one of the same step and name is replaced. Returns whether it is kept. */
  add(group: TraceGroup): boolean {
    const key = `${group.step}/${group.group}`;
    const before = this.#groups.get(key);
    if (before !== undefined) {
      this.#held -= before.completions.length;
      this.#seen -= before.completions.length;
      this.#count(before, -1);
    }
    this.#count(group, 1);
    this.#seen += group.completions.length;
    if (!this.#keeps(group.step)) return false;
    this.#groups.set(key, group);
    this.#held += group.completions.length;
    while (this.#held > this.#capacity && this.#thin()) {}
    return this.#keeps(group.step);
  }

  #keeps(step: number): boolean {
    // Counting from 1, so that the first step stays.
    return (step - 1) % this.#stride === 0;
  }

  /** Forgets every second step; false when only one is left. */
  #thin(): boolean {
    const steps = new Set([...this.#groups.values()].map(({ step }) => step));
    if (steps.size < 2) return false;
    this.#stride *= 2;
    for (const [key, group] of this.#groups) {
      if (this.#keeps(group.step)) continue;
      this.#groups.delete(key);
      this.#held -= group.completions.length;
    }
    return true;
  }

  #count(group: TraceGroup, sign: 1 | -1): void {
    const tally = groupTally(group);
    if (tally === undefined) return;
    const key = tallyKey(tally);
    const { n = 0, correct = 0 } = this.#tallies.get(key) ?? {};
    this.#tallies.set(key, { ...tally, n: n + sign * tally.n, correct: correct + sign * tally.correct });
  }
}

/** What a group adds to its step's tallies; undefined when nobody said what is right. */
export function groupTally(group: TraceGroup): StepTally | undefined {
  const judged = group.completions.filter(({ correct }) => correct !== undefined);
  if (judged.length === 0) return undefined;
  return {
    step: group.step,
    modality: group.modality ?? '',
    questionType: group.questionType ?? '',
    n: judged.length,
    correct: judged.filter(({ correct }) => correct).length,
  };
}

/** Names the cell and step of a tally. */
export function tallyKey({ step, modality, questionType }: StepTally): string {
  return JSON.stringify([step, modality, questionType]);
}
