/**
 * Packing sequences into one row of tokens without padding. A group's completions share their prompt: its tokens stand
 * there once, and each completion attends to them and to itself, at the positions that it would have alone.
 */
import type { Segment } from '../../kernels/attention.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import type { Axes, SequenceMedia, SequencePositions } from './positions.js';

/** Token ids of one sequence, without padding, and what it shows. */
export interface Sequence extends SequenceMedia {
  readonly ids: ArrayLike<number>;
}

/** Several completions of one prompt. */
export interface SequenceGroup {
  readonly prompt: Sequence;
  readonly completions: readonly ArrayLike<number>[];
}

/** Tokens of a batch, in one row. */
export interface PackedBatch {
  readonly ids: Int32Array;
  readonly positions: Axes;
  /** Who attends to whom. */
  readonly segments: readonly Segment[];
  /** Rows that hold image or video features instead of embedded tokens, in the order of the features. */
  readonly featureRows: Int32Array;
}

/** Where a completion's tokens are predicted. */
export interface PackedCompletion {
  /** The row whose hidden state predicts each token: the prompt's last one for the first. */
  readonly rows: Int32Array;
  /** The tokens themselves. */
  readonly targets: Int32Array;
}

/** A batch of groups. */
export interface PackedGroups extends PackedBatch {
  /** By group, then by completion. */
  readonly completions: readonly (readonly PackedCompletion[])[];
}

/** Packs sequences back to back. */
export function packSequences(config: ModelConfig, sequences: readonly Sequence[]): PackedBatch {
  const packer = new Packer(config);
  for (const sequence of sequences) packer.addPrompt(sequence);
  return packer.finish();
}

/** Packs groups back to back, each a prompt followed by its completions. */
export function packGroups(config: ModelConfig, groups: readonly SequenceGroup[]): PackedGroups {
  const packer = new Packer(config);
  const completions = groups.map(({ prompt, completions: texts }) => {
    const { segment, positions } = packer.addPrompt(prompt);
    return texts.map((ids) => packer.addCompletion(ids, segment, positions.next));
  });
  return { ...packer.finish(), completions };
}

class Packer {
  readonly #config: ModelConfig;
  readonly #ids: number[] = [];
  readonly #axes: [number[], number[], number[]] = [[], [], []];
  readonly #segments: Segment[] = [];
  readonly #featureRows: number[] = [];

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  addPrompt(sequence: Sequence): { segment: Segment; positions: SequencePositions } {
    if (sequence.ids.length === 0) throw modelError(`sequence ${this.#segments.length}`, 'has no tokens');
    const positions = this.#config.positions(sequence.ids, sequence);
    const segment = { start: this.#ids.length, end: this.#ids.length + sequence.ids.length };
    const { image, video } = this.#config.tokens;
    const whole = this.#config.text.wholePictures ? image : undefined;
    this.#segments.push(...stretches(sequence.ids, whole, segment.start));
    for (let i = 0; i < sequence.ids.length; i++) {
      const id = sequence.ids[i];
      if (this.#config.vision && (id === image || id === video)) this.#featureRows.push(this.#ids.length);
      this.#push(id, [positions.axes[0][i], positions.axes[1][i], positions.axes[2][i]]);
    }
    return { segment, positions };
  }

  addCompletion(ids: ArrayLike<number>, prompt: Segment, position: number): PackedCompletion {
    const start = this.#ids.length;
    const { image, video } = this.#config.tokens;
    for (let i = 0; i < ids.length; i++) {
      if (this.#config.vision && (ids[i] === image || ids[i] === video)) {
        throw modelError(
          'a completion',
          `holds the image placeholder ${ids[i]} at token ${i}; prompts only may`,
        );
      }
      this.#push(ids[i], [position + i, position + i, position + i]);
    }
    if (ids.length > 0) {
      const own = { start, end: start + ids.length };
      this.#segments.push({ ...own, prefixStart: prompt.start, prefixEnd: prompt.end });
    }
    const rows = Int32Array.from({ length: ids.length }, (_, i) => (i === 0 ? prompt.end : start + i) - 1);
    return { rows, targets: Int32Array.from(ids) };
  }

  finish(): PackedBatch {
    const { vocabSize } = this.#config.text;
    const wrong = this.#ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (wrong !== undefined) {
      const fix = 'does the tokenizer belong to this model?';
      throw modelError(`token id ${wrong}`, `is not in the vocabulary of ${vocabSize}; ${fix}`);
    }
    const [t, h, w] = this.#axes.map((axis) => Int32Array.from(axis));
    return {
      ids: Int32Array.from(this.#ids),
      positions: [t, h, w],
      segments: this.#segments,
      featureRows: Int32Array.from(this.#featureRows),
    };
  }

  #push(id: number, position: readonly [number, number, number]): void {
    this.#ids.push(id);
    this.#axes.forEach((axis, i) => void axis.push(position[i]));
  }
}

/**
 * The segments of a sequence that stands from `start` on: one, or, where runs of an id see one another, as many as there are
 * such runs and stretches between them. Each follows all that is before it.
 */
function* stretches(ids: ArrayLike<number>, whole: number | undefined, start: number): Generator<Segment> {
  for (let from = 0; from < ids.length; ) {
    const isWhole = ids[from] === whole;
    let to = from + 1;
    while (to < ids.length && (ids[to] === whole) === isWhole) to++;
    const own = { start: start + from, end: start + to, ...(isWhole && { whole: true }) };
    yield from > 0 ? { ...own, prefixStart: start, prefixEnd: start + from } : own;
    from = to;
  }
}
