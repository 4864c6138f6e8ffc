/** What a submitted request is followed by. */
import type { Completion, TokenEvent } from './request.js';

/** A request under way: await `completions`, or iterate over its tokens as they come. */
export class GenerationHandle implements AsyncIterable<TokenEvent> {
  /** All completions in order, once the last is finished; rejects if generation fails. */
  readonly completions: Promise<Completion[]>;
  readonly #cancel: () => void;
  readonly #listeners = new Set<Listener>();
  readonly #past: TokenEvent[] = [];
  #resolve!: (completions: Completion[]) => void;
  #reject!: (error: unknown) => void;
  #ended = false;

  /** `cancel` is what asks the generator to stop. */
  constructor(cancel: () => void) {
    this.#cancel = cancel;
    this.completions = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only iterates sees the failure there.
    this.completions.catch(() => {});
  }

  /** Ends all completions of the request as soon as the step under way is done; they keep the tokens they have. */
  cancel(): void {
    this.#cancel();
  }

  /** Every token of every completion from the first on, as they come. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TokenEvent> {
    const listener = new Listener(this.#past, this.#ended);
    this.#listeners.add(listener);
    try {
      for (let event = await listener.next(); event; event = await listener.next()) yield event;
    } finally {
      this.#listeners.delete(listener);
    }
    await this.completions;
  }

  /** Called by the generator. */
  emit(event: TokenEvent): void {
    this.#past.push(event);
    for (const listener of this.#listeners) listener.wake();
  }

  /** Called by the generator. */
  finish(completions: Completion[]): void {
    this.#end();
    this.#resolve(completions);
  }

  /** Called by the generator. */
  fail(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#ended = true;
    for (const listener of this.#listeners) listener.end();
  }
}

/** A place in a growing list. */
class Listener {
  readonly #events: readonly TokenEvent[];
  #at = 0;
  #ended: boolean;
  #wake: (() => void) | null = null;

  constructor(events: readonly TokenEvent[], ended: boolean) {
    this.#events = events;
    this.#ended = ended;
  }

  wake(): void {
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  async next(): Promise<TokenEvent | undefined> {
    while (this.#at >= this.#events.length && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#events[this.#at++];
  }
}
