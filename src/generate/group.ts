/** A request under way: one prompt, shared by its samples. */
import { check } from '../gpu/index.js';
import type { SamplingOptions } from '../kernels/sampling.js';
import type { Tensor } from '../tensor/index.js';
import type { Vocabulary } from '../text/index.js';
import { GenerationHandle } from './handle.js';
import type { Completion, FinishReason, GenerationRequest } from './request.js';
import type { SlotRange } from './slots.js';
import { TextStream } from './text-stream.js';

/** What a generator knows about a request beyond its words. */
export interface GroupSettings {
  /** Position of the first new token. */
  readonly next: number;
  /** Most tokens of a completion. */
  readonly cap: number;
  readonly stopIds: ReadonlySet<number>;
  readonly tokenizer: Vocabulary | null;
}

/** A prompt and its samples. */
export class Group {
  readonly request: GenerationRequest;
  readonly settings: GroupSettings;
  readonly handle: GenerationHandle;
  readonly samples: readonly Sample[];
  readonly sampling: SamplingOptions & { readonly seed: number | bigint };
  /** Samples that have begun. */
  entered = 0;
  /** Where the prompt's keys and values are, once it has been read. */
  prompt: SlotRange | null = null;
  /** Hidden state of the prompt's last token [1, D], from which first tokens are drawn; until all have begun. */
  hidden: Tensor | null = null;
  cancelled = false;

  constructor(request: GenerationRequest, settings: GroupSettings, onCancel: () => void) {
    this.request = request;
    this.settings = settings;
    this.sampling = { ...request.sampling, seed: request.seed ?? 0 };
    this.handle = new GenerationHandle(() => {
      this.cancelled = true;
      onCancel();
    });
    this.samples = Array.from({ length: request.samples ?? 1 }, (_, i) => new Sample(this, i));
  }

  /** True when every sample is finished. */
  get done(): boolean {
    return this.samples.every(({ finishReason }) => finishReason !== null);
  }

  /** Slots that a sample needs beside the prompt's: the last token is never looked back at. */
  get ownSlots(): number {
    return this.settings.cap - 1;
  }

  /** The samples as they are to be handed out. */
  completions(): Completion[] {
    return this.samples.map((sample) => sample.completion());
  }
}

/** One completion. */
export class Sample {
  readonly group: Group;
  readonly index: number;
  readonly tokenIds: number[] = [];
  readonly logprobs: number[] = [];
  readonly #text: TextStream | null;
  /** Where its own keys and values are, while it runs. */
  slots: SlotRange | null = null;
  finishReason: FinishReason | null = null;

  constructor(group: Group, index: number) {
    this.group = group;
    this.index = index;
    const { tokenizer } = group.settings;
    this.#text = tokenizer ? new TextStream(tokenizer, group.request.stop) : null;
  }

  /** Where the random number of the next token lives. */
  get counter(): { stream: number; step: number; position: number } {
    const { stream = 0, step = 0 } = this.group.request;
    return { stream: stream + this.index, step, position: this.tokenIds.length };
  }

  /** Takes the token that was drawn, decides whether it was the last, and tells whoever listens. */
  take(tokenId: number, logprob: number): void {
    const { request, settings, handle, cancelled } = this.group;
    check(tokenId >= 0, 'value', () => {
      return 'the model gave a token no probability that is a number; are its weights damaged, or did they overflow f16?';
    });
    this.tokenIds.push(tokenId);
    this.logprobs.push(logprob);
    let text = this.#text?.push(tokenId) ?? '';
    if (settings.stopIds.has(tokenId) || this.#text?.stopped) this.finishReason = 'stop';
    else if (cancelled) this.finishReason = 'cancelled';
    else if (this.tokenIds.length >= settings.cap) this.finishReason = 'length';
    if (this.finishReason) text += this.#text?.flush() ?? '';
    const event = {
      sample: this.index,
      index: this.tokenIds.length - 1,
      tokenId,
      logprob,
      text,
      finishReason: this.finishReason,
    };
    handle.emit(event);
    request.onToken?.(event);
  }

  /** Ends a sample that has not begun. */
  cancel(): void {
    this.finishReason = 'cancelled';
  }

  completion(): Completion {
    const { index: sample, tokenIds, logprobs } = this;
    const finishReason = this.finishReason ?? 'cancelled';
    return { sample, tokenIds, logprobs, ...(this.#text ? { text: this.#text.text } : {}), finishReason };
  }
}
