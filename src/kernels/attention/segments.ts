/**
 * Which token attends to which: a packed batch cut into segments, and the work lists that attention kernels walk so that
 * they touch only what is attended.
 */
import { check, type Gpu } from '../../gpu/index.js';
import { fromHost, type Tensor } from '../../tensor/index.js';
import { type KeyParts, type KeyPartsOptions, type KeyTile, keyParts } from './key-parts.js';
import {
  checkSegment,
  cut,
  type FullSegment,
  gapOf,
  independentRuns,
  moved,
  type Range,
  type Segment,
  withPrefix,
} from './segment.js';

/** A prompt and the completions that share it, as token counts. */
export interface SharedPrefixGroup {
  readonly prompt: number;
  readonly completions: readonly number[];
}

/** A work list for one tile size, on the GPU. */
export interface Tiles {
  readonly table: Tensor;
  readonly count: number;
}

/** {@link Tiles} of keys in parts. */
export interface PartTiles extends Tiles {
  /** Places for sums of parts, and the tiles whose parts use them. */
  readonly slots: number;
  readonly cut: Tiles;
}

/** A part of a batch that attends to nothing outside. Its segments count from token `first` of the batch. */
export interface Span {
  readonly first: number;
  readonly count: number;
  readonly segments: Segments;
}

/**
 * The segments of a packed batch of `tokens` tokens. Tokens outside every segment are padding: they attend to nothing,
 * their outputs and gradients are zero. Build one per batch, share it by all layers, dispose it after the backward pass.
 */
export class Segments {
  readonly gpu: Gpu;
  readonly tokens: number;
  readonly list: readonly FullSegment[];
  readonly #queryTiles = new Map<number, Tiles>();
  readonly #keyTiles = new Map<string, Tiles>();
  readonly #keyParts = new Map<string, PartTiles>();
  readonly #spans = new Map<string, readonly Span[]>();
  /** Tokens before this one belong to another span. */
  readonly #origin: number;
  #disposed = false;

  /** Checks a list of segments; they may come in any order but must not overlap. */
  constructor(gpu: Gpu, tokens: number, list: readonly Segment[], origin = 0) {
    check(Number.isInteger(tokens) && tokens > 0, 'value', () => {
      return `segments: the number of tokens is ${tokens}, expected a positive integer; give at least one sequence`;
    });
    this.gpu = gpu;
    this.tokens = tokens;
    this.#origin = origin;
    this.list = list.map(withPrefix).sort((a, b) => a.start - b.start);
    this.list.forEach((segment, i) => void checkSegment(segment, this.list[i + 1], tokens));
  }

  /** Sequences packed back to back; with `stride`, rows of a padded batch that start every `stride` tokens. */
  static fromLengths(gpu: Gpu, lengths: readonly number[], stride?: number): Segments {
    let next = 0;
    const list = lengths.map((length, i) => {
      check(Number.isInteger(length) && length > 0 && length <= (stride ?? length), 'value', () => {
        const most = stride === undefined ? '' : ` of at most ${stride}`;
        return `segments: length ${i} is ${length}, expected a positive integer${most}`;
      });
      const start = next;
      next += stride ?? length;
      return { start, end: start + length };
    });
    return new Segments(gpu, next, list);
  }

  /** Groups packed back to back, each a prompt followed by completions that attend to it and to themselves. */
  static fromGroups(gpu: Gpu, groups: readonly SharedPrefixGroup[]): Segments {
    const list: Segment[] = [];
    let next = 0;
    groups.forEach(({ prompt, completions }, g) => {
      [prompt, ...completions].forEach((length, i) => {
        check(Number.isInteger(length) && length > 0, 'value', () => {
          const what = i === 0 ? 'the prompt' : `completion ${i - 1}`;
          return `segments: ${what} of group ${g} has length ${length}, expected a positive integer`;
        });
      });
      const prefixStart = next;
      const prefixEnd = next + prompt;
      list.push({ start: prefixStart, end: prefixEnd });
      next = prefixEnd;
      for (const length of completions) {
        list.push({ start: next, end: next + length, prefixStart, prefixEnd });
        next += length;
      }
    });
    return new Segments(gpu, next, list);
  }

  /** Number of (query, key) pairs that attend: what attention's cost is proportional to. */
  attended(causal: boolean, window = 0): number {
    let pairs = 0;
    for (const { start, end, prefixStart, prefixEnd, whole } of this.list) {
      const n = end - start;
      const prefix = prefixEnd - prefixStart;
      const later = causal && !whole ? (n * (n + 1)) / 2 : n * n;
      pairs += n * prefix + later;
      // Row i of a segment has prefix + i keys before it, and looks back on window - 1 of them.
      if (window > 0) for (let i = 0; i < n; i++) pairs -= Math.max(0, prefix + i - window + 1);
    }
    return pairs;
  }

  /** A number of keys that no row attends to more of. */
  widest(causal: boolean, window = 0): number {
    const keys = this.list.map(({ start, end, prefixStart, prefixEnd, whole }) => {
      const ahead = causal && !whole ? 1 : end - start;
      const all = end - start + prefixEnd - prefixStart;
      return window > 0 ? Math.min(all, window - 1 + ahead) : all;
    });
    return Math.max(1, ...keys);
  }

  /** Whether some segment's prefix stands behind it, so that there is no looking back. */
  get looksAhead(): boolean {
    return this.list.some(({ end, prefixStart, prefixEnd }) => prefixEnd > prefixStart && prefixStart >= end);
  }

  /**
   * Rows cut into tiles that never cross a segment, longest work first so that the last ones to run are short.
   * u32 [count, 8]: first row, end row, own keys from, to, prefix keys from, to, whether rows see all of their own keys in
   * causal attention too, tokens between prefix and segment.
   */
  queryTiles(size: number): Tiles {
    return this.#cached(this.#queryTiles, size, () => {
      const rows: number[][] = [];
      for (const segment of this.list) {
        const { start, end, prefixStart, prefixEnd, whole } = segment;
        for (const { from, to } of cut({ from: start, to: end }, size)) {
          rows.push([from, to, start, end, prefixStart, prefixEnd, Number(whole), gapOf(segment)]);
        }
      }
      for (const gap of this.#gaps()) {
        for (const { from, to } of cut(gap, size)) rows.push([from, to, 0, 0, 0, 0, 0, 0]);
      }
      const work = ([, to, start, , prefixStart, prefixEnd]: number[]) =>
        to - start + prefixEnd - prefixStart;
      rows.sort((a, b) => work(b) - work(a) || a[0] - b[0]);
      return { table: this.#upload(rows), count: rows.length };
    });
  }

  /**
   * Keys cut into tiles that never cross a segment, each with its visitors: the ranges of queries that see it.
   * u32 [count, 4]: first key, end key, first visitor, number of visitors; then, for each visitor, 8 words: first query,
   * end query, first and end key that they see, what to add to a key to get its place among all keys of these queries
   * (prefix first), whether a causal mask applies, with `window` the tokens between prefix and segment that do not count,
   * 0. A tile's first visitor is its own segment.
   */
  keyTiles(size: number, window = 0): Tiles {
    return this.#cached(this.#keyTiles, `${size},${window > 0}`, () => {
      const tiles = this.#tilesOfKeys(size, window > 0);
      const work = (tile: KeyTile) => tile.visitors.reduce((n, [from, to]) => n + to - from, 0);
      tiles.sort((a, b) => work(b) - work(a) || a.from - b.from);
      let first = 0;
      const rows = tiles.map(({ from, to, visitors }) => {
        first += visitors.length;
        return [from, to, first - visitors.length, visitors.length];
      });
      const table = this.#upload([...rows, ...tiles.flatMap((tile) => tile.visitors)]);
      return { table, count: rows.length };
    });
  }

  /**
   * {@link keyTiles} in parts of about the same work. u32 [count, 8]: as above, then the slot for the part's sums and one, or 0
   * for a whole tile, 0, 0, 0; then the visitors. `cut` is u32 [count, 4]: first key, end key, first slot, slots.
   *
   * @internal
   */
  keyParts(size: number, options: KeyPartsOptions): PartTiles {
    return this.#cached(this.#keyParts, JSON.stringify([size, options]), () => {
      const { parts, cut, slots }: KeyParts = keyParts(this.#tilesOfKeys(size, options.window > 0), options);
      let first = 0;
      const rows = parts.map(({ from, to, visitors, slot }) => {
        first += visitors.length;
        return [from, to, first - visitors.length, visitors.length, slot + 1, 0, 0, 0];
      });
      const table = this.#upload([...rows, ...parts.flatMap((part) => part.visitors)]);
      const sums = cut.map(({ tile, slot, slots: own }) => [tile.from, tile.to, slot, own]);
      const none = [[0, 0, 0, 0]];
      const cutTable = this.#upload(sums.length > 0 ? sums : none);
      return { table, count: rows.length, slots, cut: { table: cutTable, count: sums.length } };
    });
  }

  /** Where gaps count, visitors with different ones stay apart. */
  #tilesOfKeys(size: number, gaps: boolean): KeyTile[] {
    const tiles: KeyTile[] = [];
    for (const { start, end, prefixStart, prefixEnd, whole } of this.list) {
      for (const { from, to } of cut({ from: start, to: end }, size)) {
        const shift = prefixEnd - prefixStart - start;
        tiles.push({ from, to, visitors: [[start, end, from, to, shift, Number(!whole), 0, 0]] });
      }
    }
    for (const gap of this.#gaps()) {
      for (const { from, to } of cut(gap, size)) tiles.push({ from, to, visitors: [Array(8).fill(0)] });
    }
    for (const segment of this.list) addPrefixVisitors(tiles, segment, gaps ? gapOf(segment) : 0);
    return tiles;
  }

  /**
   * Cuts the batch where nothing attends across, into runs of at most `most` tokens that begin at multiples of `step`
   * tokens: for adapters that cannot bind all of it at once.
   */
  spans(most: number, step: number): readonly Span[] {
    if (most >= this.tokens) return [{ first: 0, count: this.tokens, segments: this }];
    const key = `${most},${step}`;
    let found = this.#spans.get(key);
    if (!found) {
      found = this.#cut(most, step);
      this.#spans.set(key, found);
    }
    return found;
  }

  #cut(most: number, step: number): Span[] {
    const units = [...independentRuns(this.list, this.tokens)];
    const spans: Span[] = [];
    for (let u = 0; u < units.length; ) {
      const { from } = units[u];
      const first = Math.floor(from / step) * step;
      let end = u;
      while (end < units.length && units[end].to - first <= most) end++;
      check(end > u, 'limit', () => {
        return `segments: tokens [${from}, ${units[u].to}) attend to one another and do not fit the ${most} tokens that this adapter can bind at once; use shorter sequences`;
      });
      const count = units[end - 1].to - first;
      const list = units.slice(u, end).flatMap((unit) => unit.list.map((s) => moved(s, -first)));
      spans.push({ first, count, segments: new Segments(this.gpu, count, list, from - first) });
      u = end;
    }
    return spans;
  }

  /** Frees the work lists. */
  dispose(): void {
    this.#disposed = true;
    for (const { segments } of [...this.#spans.values()].flat()) segments.dispose();
    this.#spans.clear();
    for (const { cut } of this.#keyParts.values()) cut.table.dispose();
    for (const cache of [this.#queryTiles, this.#keyTiles, this.#keyParts]) {
      for (const { table } of cache.values()) table.dispose();
      cache.clear();
    }
  }

  #cached<K, T extends Tiles>(cache: Map<K, T>, key: K, make: () => T): T {
    check(!this.#disposed, 'disposed', () => {
      return 'segments are used after they were disposed; dispose them after the backward pass';
    });
    let found = cache.get(key);
    if (!found) {
      found = make();
      cache.set(key, found);
    }
    return found;
  }

  /** Work lists outlive the scope that happens to need them first. */
  #upload(rows: readonly (readonly number[])[]): Tensor {
    const data = Uint32Array.from(rows.flat());
    return fromHost(this.gpu, data, [data.length], 'u32', 'scratch').keep();
  }

  #gaps(): Range[] {
    const gaps: Range[] = [];
    let next = this.#origin;
    for (const { start, end } of this.list) {
      if (start > next) gaps.push({ from: next, to: start });
      next = end;
    }
    if (next < this.tokens) gaps.push({ from: next, to: this.tokens });
    return gaps;
  }
}

/** Completions stand side by side: neighbours that see the same keys become one visitor. */
function addPrefixVisitors(tiles: readonly KeyTile[], segment: FullSegment, gap: number): void {
  const { start, end, prefixStart, prefixEnd } = segment;
  for (const tile of tiles) {
    const from = Math.max(tile.from, prefixStart);
    const to = Math.min(tile.to, prefixEnd);
    if (from >= to) continue;
    const visitor = [start, end, from, to, -prefixStart, 0, gap, 0];
    const last = tile.visitors[tile.visitors.length - 1];
    const joins =
      tile.visitors.length > 1 && last[1] === start && last.slice(2).join() === visitor.slice(2).join();
    if (joins) last[1] = end;
    else tile.visitors.push(visitor);
  }
}
