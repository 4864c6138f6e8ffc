/** Lets so many in at a time. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param size how many may be in at a time. */
  constructor(size: number) {
    this.#free = size;
  }

  /** Runs `body` when there is room, in the order of the calls. */
  async pass<T>(body: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
