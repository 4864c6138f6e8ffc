/**
 * Batched decode steps. What a step does depends only on the number of rows and a few properties of theirs, so it is
 * recorded once for each and replayed; tokens, positions, slots and random counters are read from buffers. Drawn tokens go
 * from step to step on the device, so that a step can be issued before the results of the one before have come back.
 */
import { noGrad } from '../autograd/index.js';
import { check, type Recording } from '../gpu/index.js';
import { decodeAttention, type KvCache, kvAppend, NO_SLOT, rotateAppend } from '../kernels/attention.js';
import { philoxCounter } from '../kernels/random.js';
import { encodeSamplingRows, sample, tokenMask } from '../kernels/sampling.js';
import type { Model } from '../models/core/model.js';
import type { AttentionPlace, LayerContext } from '../nn/attention.js';
import { type DType, empty, scope, type Tensor } from '../tensor/index.js';
import type { Sample } from './group.js';
import type { PositionTable } from './positions.js';
import type { KvSlab } from './slab.js';
import type { SlotRange } from './slots.js';

/** What a step gives, by row. */
export interface Drawn {
  /** -1 where a probability was not a number. */
  readonly tokens: Int32Array;
  readonly logprobs: Float32Array;
}

/** What a step reads, one row per sample. */
type BufferName = 'tokens' | 'positions' | 'slots' | 'sequences' | 'counters' | 'settings';

interface RecordedStep {
  readonly recording: Recording;
  readonly result: Tensor;
}

const SETTING_WORDS = 12;
const NO_FEATURES = new Int32Array(0);
/** Recorded steps that are kept: each holds on to its intermediates. */
const MOST_RECORDINGS = 6;
/** The fewest keys that the attention of a recorded step is laid out for; more in powers of two. */
const LEAST_KEYS = 256;

/** The rows that decode together. */
export class DecodeBatch {
  readonly #model: Model;
  readonly #slab: KvSlab;
  readonly #positions: PositionTable;
  readonly #forbidden: Tensor | undefined;
  readonly #capacity: number;
  readonly #words: number;
  readonly #buffers: Readonly<Record<BufferName, Tensor>>;
  readonly #recorded = new Map<string, RecordedStep>();
  #seen: Tensor | undefined;
  #rows: readonly Sample[] = [];
  /** Rows that a step computes: the batch's, and idle ones. */
  #width = 0;
  /** Tokens that each row had when the rows were composed. */
  #before: readonly number[] = [];
  /** Steps issued since then: each gives every row one more token, taken or not. */
  #issued = 0;
  #limited = false;
  #penalised = false;

  constructor(
    model: Model,
    slab: KvSlab,
    positions: PositionTable,
    options: { readonly capacity: number; readonly forbidden: readonly number[] },
  ) {
    this.#model = model;
    this.#slab = slab;
    this.#positions = positions;
    this.#capacity = options.capacity;
    const { gpu } = model;
    const vocab = model.config.text.vocabSize;
    this.#words = Math.ceil(vocab / 32);
    const ids = options.forbidden;
    this.#forbidden = ids.length > 0 ? tokenMask(gpu, vocab, ids).keep() : undefined;
    const rows = (width: number, dtype: DType) =>
      empty(gpu, width === 1 ? [options.capacity] : [options.capacity, width], { dtype }).keep();
    this.#buffers = {
      tokens: rows(1, 'i32'),
      positions: rows(1, 'i32'),
      slots: rows(1, 'u32'),
      sequences: rows(4, 'u32'),
      counters: rows(4, 'u32'),
      settings: rows(SETTING_WORDS, 'u32'),
    };
  }

  /** Draws the first token of samples from the hidden states of their prompts [S, D]. */
  async first(samples: readonly Sample[], hidden: Tensor): Promise<Drawn> {
    this.compose(samples);
    const result = noGrad(() => scope(() => this.#draw(hidden, samples.length).keep()));
    hidden.dispose();
    const drawn = await this.#read(result);
    result.dispose();
    return drawn;
  }

  /** Chooses the rows of the steps that follow; each goes on from its last token. */
  compose(rows: readonly Sample[]): void {
    check(rows.length <= this.#capacity, 'value', () => `${rows.length} rows for ${this.#capacity} places`);
    this.#rows = rows;
    this.#width = this.#model.gpu.info.software
      ? rows.length
      : Math.min(roundedUp(rows.length), this.#capacity);
    this.#before = rows.map(({ tokenIds }) => tokenIds.length);
    this.#issued = 0;
    const idle = new Array(this.#width - rows.length).fill({ seed: 0, temperature: 0 });
    const { words, limited, penalised } = encodeSamplingRows([
      ...rows.map(({ group }) => group.sampling),
      ...idle,
    ]);
    this.#limited = limited;
    this.#penalised = penalised;
    const counters = new Uint32Array(4 * this.#width);
    const tokens = new Int32Array(this.#width);
    rows.forEach((row, i) => {
      counters.set(philoxCounter({ seed: 0, ...row.counter }), 4 * i);
      tokens[i] = row.tokenIds.at(-1) ?? 0;
    });
    this.#write('settings', words);
    this.#write('counters', counters);
    this.#write('tokens', tokens);
    if (penalised) this.#writeSeen();
  }

  /** Steps that can be issued before a row reaches its cap. */
  get stepsLeft(): number {
    const left = this.#rows.map(({ group }, i) => group.settings.cap - this.#before[i]);
    return Math.min(...left) - this.#issued;
  }

  /** Issues one step; the rows must take its results before they are composed again. */
  step(): Promise<Drawn> {
    const { gpu } = this.#model;
    const longest = this.#writePlaces();
    const keys = Math.max(LEAST_KEYS, 2 ** Math.ceil(Math.log2(longest)));
    const key = [this.#width, keys, this.#limited, this.#penalised].join();
    let step = this.#recorded.get(key);
    if (step) {
      this.#recorded.delete(key);
      step.recording.replay();
    } else {
      const { recording, result } = gpu.record(() => this.#forward(keys));
      step = { recording, result };
    }
    this.#recorded.set(key, step);
    if (this.#recorded.size > MOST_RECORDINGS) this.#forget(this.#recorded.keys().next().value as string);
    this.#issued++;
    return this.#read(step.result);
  }

  /** Forgets recorded steps: after the cache or the position table moved, or the model changed. */
  reset(): void {
    for (const key of [...this.#recorded.keys()]) this.#forget(key);
  }

  /** Frees everything. */
  dispose(): void {
    this.reset();
    for (const tensor of [...Object.values(this.#buffers), this.#seen, this.#forbidden]) tensor?.dispose();
  }

  /** Where each row's newest token stands; returns the most keys that one attends to. */
  #writePlaces(): number {
    const rows = this.#rows;
    // Idle rows attend to nothing and leave nothing in the cache.
    const positions = new Int32Array(this.#width);
    const slots = new Uint32Array(this.#width).fill(NO_SLOT);
    const sequences = new Uint32Array(4 * this.#width);
    let longest = 0;
    rows.forEach(({ group, slots: own }, i) => {
      const at = this.#before[i] - 1 + this.#issued;
      const { start, end } = group.prompt as SlotRange;
      const first = (own as SlotRange).start;
      positions[i] = group.settings.next + at;
      slots[i] = first + at;
      sequences.set([start, end, first, first + at + 1], 4 * i);
      longest = Math.max(longest, end - start + at + 1);
    });
    this.#write('positions', positions);
    this.#write('slots', slots);
    this.#write('sequences', sequences);
    return longest;
  }

  #forward(maxKeys: number): Tensor {
    const model = this.#model;
    const rows = this.#width;
    return noGrad(() =>
      scope(() => {
        const sequences = this.#view('sequences', rows);
        const slots = this.#view('slots', rows);
        const rules = model.config.text.attention;
        const attend = ({ kind }: AttentionPlace, q: Tensor, cache: KvCache) =>
          decodeAttention(q, cache, sequences, { maxKeys, ...rules?.[kind] });
        const context: LayerContext = {
          rotary: this.#positions.lookup(this.#view('positions', rows)),
          attend: (place, q, k, v) => {
            const cache = this.#slab.layers[place.layer];
            kvAppend(cache, k, v, slots);
            return attend(place, q, cache);
          },
          attendJoined: (place, joined, table) => {
            const cache = this.#slab.layers[place.layer];
            return attend(place, rotateAppend(cache, joined, table, slots), cache);
          },
        };
        const input = { ids: this.#view('tokens', rows), featureRows: NO_FEATURES, features: [] };
        const hidden = model.hiddenWith(input, context);
        return this.#draw(hidden, rows).keep();
      }),
    );
  }

  /** Draws a token for each row; they become the next step's input. u32 [2, rows]: tokens, bits of log-probabilities. */
  #draw(hidden: Tensor, rows: number): Tensor {
    const { gpu } = this.#model;
    const state = {
      logits: this.#model.logits(hidden),
      counters: this.#view('counters', rows),
      forbidden: this.#forbidden,
      seen: this.#penalised ? this.#seen?.alias([rows, this.#words]) : undefined,
    };
    const { tokens, rawLogp } = sample(state, {
      table: this.#view('settings', rows),
      limited: this.#limited,
      penalised: this.#penalised,
    });
    const result = empty(gpu, [2, rows], { dtype: 'u32' });
    const [first, second] = [0, 1].map((i) => result.alias([rows], i * rows * 4));
    gpu.copy(tokens.range, this.#view('tokens', rows).range);
    gpu.copy(tokens.range, first.range);
    gpu.copy(rawLogp.range, second.range);
    return result;
  }

  async #read(result: Tensor): Promise<Drawn> {
    const bytes = await this.#model.gpu.read(result.range);
    const rows = result.shape[1];
    return { tokens: new Int32Array(bytes, 0, rows), logprobs: new Float32Array(bytes, 4 * rows, rows) };
  }

  #view(name: BufferName, rows: number): Tensor {
    const tensor = this.#buffers[name];
    return tensor.alias([rows, ...tensor.shape.slice(1)]);
  }

  #write(name: BufferName, data: Int32Array | Uint32Array): void {
    this.#model.gpu.write(this.#buffers[name].range, data);
  }

  /** The tokens that the repetition penalty is about: those of the prompt and those drawn. */
  #writeSeen(): void {
    const { gpu } = this.#model;
    this.#seen ??= empty(gpu, [this.#capacity, this.#words], { dtype: 'u32' }).keep();
    const bits = new Uint32Array(this.#width * this.#words);
    this.#rows.forEach(({ group, tokenIds }, i) => {
      const mark = (id: number) => {
        bits[i * this.#words + (id >> 5)] |= 1 << (id & 31);
      };
      Array.prototype.forEach.call(group.request.ids, mark);
      tokenIds.forEach(mark);
    });
    gpu.write(this.#seen.range, bits);
  }

  #forget(key: string): void {
    const step = this.#recorded.get(key);
    step?.recording.dispose();
    step?.result.dispose();
    this.#recorded.delete(key);
  }
}

/**
 * Batches shrink row by row as samples finish, and a recording for each size would cost more than it saves. Where weights
 * are what a step waits for, a few idle rows are free: two sizes for each power of two.
 */
function roundedUp(rows: number): number {
  if (rows <= 4) return rows;
  const step = 2 ** (Math.ceil(Math.log2(rows)) - 2);
  return Math.ceil(rows / step) * step;
}
