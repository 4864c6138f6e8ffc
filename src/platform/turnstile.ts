/** Room that many share: whoever finds none waits, in order. */

interface Waiting {
  readonly weight: number;
  enter(): void;
}

/** Lets in as much as there is room for. */
export class Turnstile {
  readonly #room: number;
  readonly #line: Waiting[] = [];
  #taken = 0;

  /** @param room how much may be inside at the same time, in whatever unit. */
  constructor(room: number) {
    this.#room = room;
  }

  /**
   * Waits until there is room. What needs more than there is in all goes in alone.
   *
   * @param signal ends the waiting, with its reason.
   * @returns a function that gives the room back.
   */
  async enter(weight: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const needed = Math.min(weight, this.#room);
    await this.#wait(needed, signal);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#taken -= needed;
      this.#admit();
    };
  }

  async #wait(weight: number, signal: AbortSignal | undefined): Promise<void> {
    let abort = () => {};
    const entered = new Promise<void>((resolve, reject) => {
      const waiting = { weight, enter: resolve };
      this.#line.push(waiting);
      abort = () => {
        const place = this.#line.indexOf(waiting);
        // Who is inside already leaves by the way that everybody does.
        if (place < 0) return;
        this.#line.splice(place, 1);
        this.#admit();
        reject(signal?.reason);
      };
    });
    signal?.addEventListener('abort', abort);
    this.#admit();
    try {
      await entered;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Lets in from the front of the line. Nobody overtakes: what is large would wait for ever. */
  #admit(): void {
    for (let [next] = this.#line; next && this.#taken + next.weight <= this.#room; [next] = this.#line) {
      this.#line.shift();
      this.#taken += next.weight;
      next.enter();
    }
  }
}
