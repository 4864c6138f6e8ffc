/** What is asked of a generator, and what it gives. */
import type { SamplingOptions } from '../kernels/sampling.js';
import type { ImagePatches } from '../models/core/patches.js';

/** A prompt, and how to go on from it. */
export interface GenerationRequest {
  /** Token ids without padding, with one placeholder per merged image patch. */
  readonly ids: ArrayLike<number>;
  readonly images?: ImagePatches;
  /** Most tokens of a completion. */
  readonly maxNewTokens: number;
  /** Completions of this prompt; 1 by default. They share its images and its place in the cache. */
  readonly samples?: number;
  /** How to choose tokens; by default from the model's own distribution. Temperature 0 is greedy. */
  readonly sampling?: SamplingOptions;
  /** With `stream` and `step` the address of the random numbers; 0 by default. */
  readonly seed?: number | bigint;
  /** Random stream of the first completion, 0 by default; the others use the streams that follow. */
  readonly stream?: number;
  /** Training step; 0 by default. */
  readonly step?: number;
  /** Ids that end a completion; the generator's by default, none for `[]`. */
  readonly stopIds?: readonly number[];
  /** Texts that end a completion and are not part of its text. Needs a tokenizer. */
  readonly stop?: readonly string[];
  /** Called as tokens come, in order for each completion. */
  readonly onToken?: (event: TokenEvent) => void;
}

/** `stop`: an end id or a stop text; `length`: the cap on tokens or positions. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** One more token. */
export interface TokenEvent {
  /** Which completion of the request. */
  readonly sample: number;
  /** Number of the token in its completion. */
  readonly index: number;
  readonly tokenId: number;
  /** See {@link Completion.logprobs}. */
  readonly logprob: number;
  /** Text that can no longer change; all events' joined is the completion's text. Empty without a tokenizer. */
  readonly text: string;
  /** Set with the last token. */
  readonly finishReason: FinishReason | null;
}

/** A finished completion: new tokens only, the one that ended it included. */
export interface Completion {
  readonly sample: number;
  readonly tokenIds: readonly number[];
  /**
   * Log-probability of each token under softmax(logits / temperature), before any filter or penalty: what a trainer
   * computes for it. Greedy completions count with temperature 1.
   */
  readonly logprobs: readonly number[];
  /** Without special tokens and stop text; only with a tokenizer. */
  readonly text?: string;
  readonly finishReason: FinishReason;
}
