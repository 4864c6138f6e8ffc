/** Text of a completion as it grows, and the texts that end it. */
import { StreamDecoder, type Vocabulary } from '../text/index.js';

/** Gives text out as soon as it can neither change nor turn out to begin a stop text. */
export class TextStream {
  readonly #decoder: StreamDecoder;
  readonly #stops: readonly string[];
  #held = '';
  #text = '';
  #stopped = false;

  constructor(tokenizer: Vocabulary, stops: readonly string[] = []) {
    this.#decoder = new StreamDecoder(tokenizer);
    this.#stops = stops;
  }

  /** All text given out so far. */
  get text(): string {
    return this.#text;
  }

  /** True once a stop text has come up. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a token; returns the text that is certain now. */
  push(id: number): string {
    this.#held += this.#decoder.push(id);
    return this.#release(false);
  }

  /** Ends the stream; returns the rest. */
  flush(): string {
    if (this.#stopped) return '';
    this.#held += this.#decoder.flush();
    return this.#release(true);
  }

  #release(all: boolean): string {
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    this.#stopped = found.length > 0;
    const end = this.#stopped
      ? Math.min(...found)
      : this.#held.length - (all ? 0 : openEnd(this.#held, this.#stops));
    const out = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    this.#text += out;
    return out;
  }
}

/** Length of the longest end of `text` with which a stop text begins. */
function openEnd(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
      if (text.endsWith(stop.slice(0, n))) longest = n;
    }
  }
  return longest;
}
