/** Decoding while tokens arrive: text comes out as soon as it cannot change any more. */
import type { Vocabulary } from './vocabulary.js';

const REPLACEMENT = '\ufffd';
/**
 * Tokens that a tokenizer that is not byte-level may hold back. A character has at most four bytes, so an end that is
 * still incomplete after this many tokens is broken, not unfinished.
 */
const MAX_HELD = 8;

/**
 * Turns a stream of token ids into a stream of text. What `push` and `flush` return, joined, is what decoding all ids at
 * once gives, and no piece ends within a character, although characters may span tokens.
 */
export class StreamDecoder {
  readonly #vocabulary: Vocabulary;
  readonly #skipSpecial: boolean;
  /** For byte-level tokenizers: keeps the bytes of an unfinished character. */
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  /** For others: the ids that stand for text already given, as context, then those held back. */
  #context: number[] = [];
  #held: number[] = [];

  /** @param options.skipSpecialTokens leaves special tokens out of the text; on by default. */
  constructor(vocabulary: Vocabulary, options: { skipSpecialTokens?: boolean } = {}) {
    this.#vocabulary = vocabulary;
    this.#skipSpecial = options.skipSpecialTokens ?? true;
  }

  /** Takes one more token and returns the text it completes, which may be empty. */
  push(id: number): string {
    if (this.#skipSpecial && this.#vocabulary.specialIds.has(id)) return '';
    if (this.#vocabulary.isByteLevel) {
      return this.#utf8.decode(this.#vocabulary.tokenBytes(id), { stream: true });
    }
    this.#held.push(id);
    const text = this.#pending();
    if (text.endsWith(REPLACEMENT) && this.#held.length < MAX_HELD) return '';
    return this.#release(text);
  }

  /** Ends the stream and returns the rest; an unfinished character becomes U+FFFD. */
  flush(): string {
    if (this.#vocabulary.isByteLevel) return this.#utf8.decode();
    return this.#held.length === 0 ? '' : this.#release(this.#pending());
  }

  /** What the held tokens add to the context: how a token is spelled may depend on the one before it. */
  #pending(): string {
    const before = this.#vocabulary.decode(this.#context);
    return this.#vocabulary.decode([...this.#context, ...this.#held]).slice(before.length);
  }

  #release(text: string): string {
    this.#context = this.#held;
    this.#held = [];
    return text;
  }
}
