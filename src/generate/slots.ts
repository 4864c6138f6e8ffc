/** Which slots of the KV cache are free: runs of consecutive slots, as attention wants them. */

/** Slots [start, end). */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
}

/** First-fit allocation of runs; neighbours that become free merge. */
export class SlotAllocator {
  /** Free runs in order, none touching the next. */
  #free: SlotRange[];
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#free = capacity > 0 ? [{ start: 0, end: capacity }] : [];
  }

  /** All slots. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Slots that are taken. */
  get used(): number {
    return this.#capacity - this.#free.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** A run of `count` slots, or undefined where no run is long enough. None at all is always there. */
  take(count: number): SlotRange | undefined {
    if (count === 0) return { start: 0, end: 0 };
    const at = this.#free.findIndex(({ start, end }) => end - start >= count);
    if (at < 0) return undefined;
    const { start, end } = this.#free[at];
    const rest = start + count < end ? [{ start: start + count, end }] : [];
    this.#free.splice(at, 1, ...rest);
    return { start, end: start + count };
  }

  /** Gives a run back. */
  give({ start, end }: SlotRange): void {
    if (start === end) return;
    this.#free.push({ start, end });
    this.#free.sort((a, b) => a.start - b.start);
    const merged: SlotRange[] = [];
    for (const run of this.#free) {
      const last = merged.at(-1);
      if (last && last.end === run.start) merged[merged.length - 1] = { start: last.start, end: run.end };
      else merged.push(run);
    }
    this.#free = merged;
  }

  /** Adds slots at the end. */
  grow(capacity: number): void {
    const before = this.#capacity;
    this.#capacity = capacity;
    this.give({ start: before, end: capacity });
  }
}
