/**
 * Finds texts that say nearly the same: MinHash signatures find likely pairs without comparing each with each, and the
 * Jaccard similarity of their word sequences decides.
 */
import { wordsOf } from './reading.js';

/** Words of a sequence. */
const SHINGLE = 4;
/** Texts of similarity 0.8 share a band with a chance of 99.98%, those of 0.3 with 12%. */
const BANDS = 16;
const ROWS = 4;

interface KnownText {
  readonly name: string;
  readonly shingles: ReadonlySet<number>;
}

/** Texts so far. */
export class NearDuplicates {
  readonly #threshold: number;
  readonly #texts: KnownText[] = [];
  /** Places of texts by band and its hash. */
  readonly #buckets = new Map<string, number[]>();

  /** @param threshold Jaccard similarity from which texts are duplicates; 1 finds equal word sequences only. */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** The name and similarity of a text that is nearly the same; undefined when there is none. */
  find(text: string): { name: string; similarity: number } | undefined {
    const shingles = shinglesOf(text);
    const seen = new Set<number>();
    for (const bucket of bucketsOf(shingles)) {
      for (const place of this.#buckets.get(bucket) ?? []) {
        if (seen.has(place)) continue;
        seen.add(place);
        const { name, shingles: other } = this.#texts[place] as KnownText;
        const similarity = jaccard(shingles, other);
        if (similarity >= this.#threshold) return { name, similarity };
      }
    }
    return undefined;
  }

  /** Remembers a text. */
  add(name: string, text: string): void {
    const shingles = shinglesOf(text);
    const place = this.#texts.push({ name, shingles }) - 1;
    for (const bucket of bucketsOf(shingles)) {
      const places = this.#buckets.get(bucket);
      if (places) places.push(place);
      else this.#buckets.set(bucket, [place]);
    }
  }
}

/** Hashes of the sequences of words; of a text shorter than one the hash of all of it. */
function shinglesOf(text: string): Set<number> {
  const words = wordsOf(text.toLowerCase());
  const shingles = new Set<number>();
  for (let at = 0; at <= Math.max(0, words.length - SHINGLE); at++) {
    shingles.add(hash(words.slice(at, at + SHINGLE).join(' ')));
  }
  return shingles;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** The buckets of a set: for each band its smallest hashes under as many permutations as it has rows. */
function* bucketsOf(shingles: ReadonlySet<number>): Generator<string> {
  for (let band = 0; band < BANDS; band++) {
    const row: number[] = [];
    for (let i = 0; i < ROWS; i++) {
      const salt = Math.imul(band * ROWS + i + 1, 0x9e3779b1);
      let least = 0xffffffff;
      for (const shingle of shingles) least = Math.min(least, mix(shingle ^ salt));
      row.push(least);
    }
    yield `${band}:${row.join(':')}`;
  }
}

/** The finaliser of MurmurHash3: a permutation of 32-bit numbers. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let shared = 0;
  for (const value of a) if (b.has(value)) shared++;
  return shared / (a.size + b.size - shared);
}
