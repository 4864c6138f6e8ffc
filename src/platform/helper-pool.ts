/** Helpers that wait for more work: starting a process costs more than most of what helpers are asked. */
import type { Helper } from './ports/helpers.js';

/** Starts helpers when there is work, and keeps some for later. */
export class HelperPool {
  readonly #start: () => Promise<Helper>;
  readonly #keep: number;
  readonly #idle: Helper[] = [];

  /**
   * @param start starts one of the helpers, which are alike.
   * @param keep how many may wait for more work; one by default.
   */
  constructor(start: () => Promise<Helper>, keep = 1) {
    this.#start = start;
    this.#keep = keep;
  }

  /** A helper for whoever asks alone, until it is given back. */
  async take(): Promise<Helper> {
    for (let helper = this.#idle.pop(); helper; helper = this.#idle.pop()) {
      if (!helper.hasEnded) return helper;
    }
    return this.#start();
  }

  /** Takes a helper back, whose work is done. */
  give(helper: Helper): void {
    if (helper.hasEnded) return;
    if (this.#idle.length < this.#keep) this.#idle.push(helper);
    else helper.end();
  }
}
