/**
 * Continuous batching: requests wait in line, their prompts are read in packs, their samples decode together; a sample
 * that finishes leaves at once and the next one takes its place. Samples of one prompt share its cache slots and its
 * images. What a request gets does not depend on who shares its batch, up to the rounding of differently shaped sums.
 */
import { concat, noGrad } from '../autograd/index.js';
import { check } from '../gpu/index.js';
import type { Model } from '../models/core/model.js';
import { type FloatDType, scope, type Tensor } from '../tensor/index.js';
import type { Vocabulary } from '../text/index.js';
import { checkRequest, neverDrawn } from './check.js';
import { DecodeBatch, type Drawn } from './decode.js';
import { Group, type Sample } from './group.js';
import type { GenerationHandle } from './handle.js';
import { PositionTable } from './positions.js';
import { prefill } from './prefill.js';
import type { Completion, GenerationRequest } from './request.js';
import { KvSlab } from './slab.js';

/** Settings of a {@link Generator}. */
export interface GeneratorOptions {
  /** For text, text streaming and stop texts. */
  readonly tokenizer?: Vocabulary;
  /** Most samples that decode together; 64 by default. */
  readonly maxBatch?: number;
  /** Prompt tokens that are read in one pass, unless a single prompt is longer; 8192 by default. */
  readonly prefillTokens?: number;
  /**
   * How keys and values are stored; f32 by default, with which log-probabilities equal the trainer's. The 16-bit types
   * halve the memory and change log-probabilities by about a hundredth.
   */
  readonly kvDtype?: FloatDType;
  /** Most tokens that the cache may hold. By default it grows to what the batch needs. */
  readonly cacheTokens?: number;
  /** Ids that end a completion; those of config.json by default (see `loadStopIds`). */
  readonly stopIds?: readonly number[];
  /** Further ids never to draw. */
  readonly forbiddenIds?: readonly number[];
  /** Issue a step before the results of the one before are back; on by default. */
  readonly ahead?: boolean;
}

/** Generates completions with a model. One generator works on a model at a time. */
export class Generator {
  readonly model: Model;
  readonly #options: Required<Omit<GeneratorOptions, 'tokenizer' | 'cacheTokens'>>;
  readonly #tokenizer: Vocabulary | null;
  readonly #cacheTokens: number;
  readonly #slab: KvSlab;
  readonly #positions: PositionTable;
  readonly #batch: DecodeBatch;
  /** Groups that are not finished. */
  readonly #groups = new Set<Group>();
  /** Those with samples that have not begun, in line. */
  readonly #waiting: Group[] = [];
  #rows: Sample[] = [];
  #running: Promise<void> | null = null;
  /** No slots were left for the next in line; wait until a sample finishes. */
  #full = false;
  #adapter: object | null = null;

  constructor(model: Model, options: GeneratorOptions = {}) {
    const { maxBatch = 64, prefillTokens = 8192, kvDtype = 'f32', ahead = true } = options;
    const { stopIds = model.config.tokens.eos, forbiddenIds = [] } = options;
    for (const [name, value] of Object.entries({ maxBatch, prefillTokens })) {
      check(Number.isInteger(value) && value > 0, 'value', () => {
        return `generate: ${name} is ${value}; it must be a positive integer`;
      });
    }
    this.model = model;
    this.#options = { maxBatch, prefillTokens, kvDtype, ahead, stopIds, forbiddenIds };
    this.#tokenizer = options.tokenizer ?? null;
    this.#slab = new KvSlab(model.gpu, model.config.text, kvDtype);
    this.#cacheTokens = Math.min(options.cacheTokens ?? Number.POSITIVE_INFINITY, this.#slab.largest);
    this.#positions = new PositionTable(model.gpu, model.config);
    const forbidden = [...new Set([...neverDrawn(model, stopIds), ...forbiddenIds])];
    this.#batch = new DecodeBatch(model, this.#slab, this.#positions, { capacity: maxBatch, forbidden });
  }

  /** Puts a request in line. */
  submit(request: GenerationRequest): GenerationHandle {
    const settings = checkRequest(this.model, request, {
      tokenizer: this.#tokenizer,
      stopIds: this.#options.stopIds,
      cacheTokens: this.#cacheTokens,
    });
    const group = new Group(request, settings, () => this.#dropCancelled());
    this.#groups.add(group);
    this.#waiting.push(group);
    this.#full = false;
    // The loop begins after the caller's turn, so that requests submitted together are read together.
    this.#running ??= Promise.resolve().then(() => this.#run());
    return group.handle;
  }

  /** Generates completions for requests, batched; by request, then by sample. */
  async generate(requests: readonly GenerationRequest[]): Promise<Completion[][]> {
    const handles = requests.map((request) => this.submit(request));
    try {
      return await Promise.all(handles.map(({ completions }) => completions));
    } catch (error) {
      for (const handle of handles) handle.cancel();
      throw error;
    }
  }

  /**
   * Generates completions for a long line of requests, of which only as many are asked for as keep the batch full. Results
   * come in the order of the requests; a slow one does not hold up those behind it, only their delivery.
   */
  async *stream(
    requests: Iterable<GenerationRequest> | AsyncIterable<GenerationRequest>,
  ): AsyncGenerator<Completion[], void, undefined> {
    const most = 2 * this.#options.maxBatch;
    const inFlight: { readonly handle: GenerationHandle; readonly samples: number }[] = [];
    let samples = 0;
    const next = async () => {
      const [first] = inFlight;
      const completions = await first.handle.completions;
      inFlight.shift();
      samples -= first.samples;
      return completions;
    };
    try {
      for await (const request of requests) {
        const handle = this.submit(request);
        inFlight.push({ handle, samples: request.samples ?? 1 });
        samples += request.samples ?? 1;
        while (samples >= most) yield await next();
      }
      while (inFlight.length > 0) yield await next();
    } finally {
      for (const { handle } of inFlight) handle.cancel();
    }
  }

  /** Bytes of the KV cache, and slots taken and there. */
  get cache(): { readonly bytes: number; readonly used: number; readonly capacity: number } {
    const { used, capacity } = this.#slab.slots;
    return { bytes: this.#slab.bytes, used, capacity };
  }

  /** Frees the cache and the recorded steps; they come back when needed. Waits for what is running. */
  async release(): Promise<void> {
    await this.#running;
    this.#batch.reset();
    this.#slab.dispose();
    this.#positions.dispose();
  }

  /** Cancels what is running and frees everything. */
  async dispose(): Promise<void> {
    for (const group of this.#groups) group.handle.cancel();
    await this.release();
    this.#batch.dispose();
  }

  async #run(): Promise<void> {
    try {
      this.#noticeAdapter();
      while (this.#waiting.length > 0 || this.#rows.length > 0) {
        await this.#enter();
        if (this.#rows.length > 0) await this.#decode();
      }
    } catch (error) {
      this.#abandon(error);
    } finally {
      this.#running = null;
    }
  }

  /** Recorded steps compute with the adapter that was there when they were recorded. */
  #noticeAdapter(): void {
    if (this.#adapter === this.model.adapter) return;
    this.#adapter = this.model.adapter;
    this.#batch.reset();
  }

  /** Lets waiting samples in while there is room, reads their prompts and draws their first tokens. */
  async #enter(): Promise<void> {
    this.#makeRoom();
    const entering: Sample[] = [];
    const unread: Group[] = [];
    while (this.#waiting.length > 0 && this.#rows.length + entering.length < this.#options.maxBatch) {
      const group = this.#waiting[0];
      const sample = this.#admit(group);
      if (!sample) break;
      if (!group.hidden && !unread.includes(group)) unread.push(group);
      entering.push(sample);
      if (group.entered === group.samples.length) this.#waiting.shift();
    }
    this.#full = this.#waiting.length > 0;
    if (entering.length === 0) {
      // The only prompt in the cache stands in the middle, with too little room on either side: it is read elsewhere.
      if (this.#rows.length === 0 && this.#waiting.length > 0) this.#unread(this.#waiting[0]);
      return;
    }
    for (const part of portions(unread, this.#options.prefillTokens)) {
      prefill(this.model, this.#slab, part);
    }
    const hidden = noGrad(() =>
      scope(() =>
        concat(
          entering.map(({ group }) => group.hidden as Tensor),
          0,
        ).keep(),
      ),
    );
    for (const { group } of entering) {
      if (group.entered < group.samples.length) continue;
      group.hidden?.dispose();
      group.hidden = null;
    }
    this.#deliver(entering, await this.#batch.first(entering, hidden));
    this.#rows.push(...entering.filter(({ finishReason }) => !finishReason));
  }

  /** Slots for the next sample of a group, and for its prompt if it is the first. */
  #admit(group: Group): Sample | undefined {
    const { slots } = this.#slab;
    const prompt = group.prompt ?? slots.take(group.request.ids.length);
    const own = prompt && slots.take(group.ownSlots);
    if (!own) {
      if (prompt && !group.prompt) slots.give(prompt);
      return undefined;
    }
    group.prompt = prompt;
    const sample = group.samples[group.entered++];
    sample.slots = own;
    return sample;
  }

  /** Forgets what is kept of a prompt. */
  #unread(group: Group): void {
    if (group.prompt) this.#slab.slots.give(group.prompt);
    group.prompt = null;
    group.hidden?.dispose();
    group.hidden = null;
  }

  /** Grows the cache to what would fill the batch, as far as it may grow. */
  #makeRoom(): void {
    const { slots } = this.#slab;
    let places = this.#options.maxBatch - this.#rows.length;
    let wanted = slots.used;
    let reach = 0;
    for (const group of this.#waiting) {
      const count = Math.min(places, group.samples.length - group.entered);
      if (count === 0) break;
      wanted += (group.prompt ? 0 : group.request.ids.length) + count * group.ownSlots;
      places -= count;
    }
    for (const { settings } of this.#groups) reach = Math.max(reach, settings.next + settings.cap);
    // Later growth leaves room for more: it copies the cache.
    const target = slots.capacity > 0 ? Math.max(wanted, Math.ceil(1.5 * slots.capacity)) : wanted;
    if (wanted > slots.capacity && slots.capacity < this.#cacheTokens) {
      this.#batch.reset();
      this.#slab.grow(Math.min(target, this.#cacheTokens));
    }
    if (this.#positions.reach(reach)) this.#batch.reset();
  }

  /** Steps until a row finishes or another could enter. */
  async #decode(): Promise<void> {
    const rows = this.#rows;
    this.#batch.compose(rows);
    let current: Promise<Drawn> | null = this.#issue();
    while (current) {
      const ahead: Promise<Drawn> | null =
        this.#options.ahead && this.#batch.stepsLeft > 0 ? this.#issue() : null;
      this.#deliver(rows, await current);
      const changed = rows.some(({ finishReason }) => finishReason) || this.#canEnter();
      if (changed && ahead) this.#deliver(rows, await ahead);
      current = changed ? null : (ahead ?? this.#issue());
    }
    this.#rows = rows.filter(({ finishReason }) => !finishReason);
  }

  #issue(): Promise<Drawn> {
    const drawn = this.#batch.step();
    // One that was issued ahead may fail before anyone waits for it; whoever then does still hears of it.
    drawn.catch(() => {});
    return drawn;
  }

  #canEnter(): boolean {
    return this.#waiting.length > 0 && this.#rows.length < this.#options.maxBatch && !this.#full;
  }

  /** Hands drawn tokens to rows that are not finished, and frees those that then are. */
  #deliver(rows: readonly Sample[], { tokens, logprobs }: Drawn): void {
    rows.forEach((row, i) => {
      if (row.finishReason) return;
      try {
        row.take(tokens[i], logprobs[i]);
      } catch (error) {
        this.#fail(row.group, error);
      }
      if (row.finishReason) this.#leave(row);
    });
  }

  #leave(row: Sample): void {
    if (row.slots) this.#slab.slots.give(row.slots);
    row.slots = null;
    this.#full = false;
    if (row.group.done) this.#close(row.group);
  }

  #close(group: Group): void {
    if (!this.#groups.delete(group)) return;
    this.#unread(group);
    group.handle.finish(group.completions());
  }

  /** Fails one request; the others go on. */
  #fail(group: Group, error: unknown): void {
    group.handle.fail(error);
    group.handle.cancel();
    for (const sample of group.samples) {
      sample.finishReason ??= 'cancelled';
      this.#leave(sample);
    }
  }

  /** Cancelled groups leave the line at once; their samples that run leave after their next token. */
  #dropCancelled(): void {
    for (const group of [...this.#waiting]) {
      if (!group.cancelled) continue;
      this.#waiting.splice(this.#waiting.indexOf(group), 1);
      for (const sample of group.samples.slice(group.entered)) sample.cancel();
      group.entered = group.samples.length;
      if (group.done) this.#close(group);
    }
  }

  /** Fails everything that is under way. */
  #abandon(error: unknown): void {
    this.#rows = [];
    this.#waiting.length = 0;
    for (const group of [...this.#groups]) this.#fail(group, error);
  }
}

/** Runs of groups whose prompts have at most so many tokens together. */
function portions(groups: readonly Group[], most: number): Group[][] {
  const out: Group[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    const own = group.request.ids.length;
    if (tokens + own > most) {
      out.push([]);
      tokens = 0;
    }
    out[out.length - 1].push(group);
    tokens += own;
  }
  return out;
}
