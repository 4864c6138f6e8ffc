/**
 * Processes that do what may not end, or may take memory without bound: decoding hostile files, running templates that came
 * with a model, running code of users. Nothing but a process can be ended in the middle of its work together with all its
 * memory, and while it works this one goes on answering.
 */

/** Starts helpers. A platform without them does the work in place. */
export interface Helpers {
  /** How many may work at the same time and leave this process its share of the machine; at least one. */
  readonly together: number;
  /**
   * Starts a helper: `src/helpers/<name>.ts`.
   *
   * @throws Error where it does not start.
   */
  start(name: HelperName, options?: HelperOptions): Promise<Helper>;
}

/** The files of `src/helpers/`. */
export type HelperName = 'parquet' | 'pictures' | 'reward' | 'text';

/** What a helper may take. */
export interface HelperOptions {
  /** Memory for its JavaScript values, in MB; 2048 by default. One that needs more ends. */
  readonly megabytes?: number;
  /** One that is asked for nothing in so long a time ends; never by default. */
  readonly idleSeconds?: number;
  /** `inherit` lets it print where this process prints; by default what it prints is lost. */
  readonly output?: 'ignore' | 'inherit';
}

/** A process that answers requests. It keeps this one alive only while an answer is awaited. */
export interface Helper {
  /** Whether it has ended, on its own or by {@link Helper.end}; it answers nothing more. */
  readonly hasEnded: boolean;
  /**
   * Sends a request, which like the answer may be anything that can be cloned. Several may be under way.
   *
   * @throws HelperError where no answer comes; the helper has ended then.
   * @throws Error with the words of what the helper threw.
   */
  ask(request: unknown, options?: AskOptions): Promise<unknown>;
  /** Ends it at once; what is under way fails. */
  end(): void;
}

/** Settings of {@link Helper.ask}. */
export interface AskOptions {
  /** An answer that takes longer ends the helper. */
  readonly seconds?: number;
  /** Aborted where nobody waits for the answer any more; it ends the helper. */
  readonly signal?: AbortSignal;
}

/** No answer: it was `late`, the helper `ended` (out of memory, by a crash, or of its own will), or nobody waits (`aborted`). */
export class HelperError extends Error {
  readonly kind: 'late' | 'ended' | 'aborted';

  /** The message is for people who look into a helper; whoever asked says what it means. */
  constructor(kind: HelperError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
