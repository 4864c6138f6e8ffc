/** Positions of a sequence for the decoder's rotary embedding. */
import { modelError } from './errors.js';
import type { Grid } from './grid.js';

/** Positions of tokens in time, height and width; equal where a model counts in one dimension. */
export type Axes = readonly [Int32Array, Int32Array, Int32Array];

/** Positions of one sequence. */
export interface SequencePositions {
  readonly axes: Axes;
  /** Position of the token that follows, on every axis. */
  readonly next: number;
}

/** What the sequence shows, in the order of appearance. */
export interface SequenceMedia {
  readonly images?: readonly Grid[];
  readonly videos?: readonly Grid[];
  /** Seconds between two temporal patches of each video; 1 by default. */
  readonly secondsPerGrid?: readonly number[];
}

/** Positions that count up from 0, for models that see nothing. */
export function countedPositions(ids: ArrayLike<number>, media: SequenceMedia = {}): SequencePositions {
  refuseLeft([...(media.images ?? []), ...(media.videos ?? [])]);
  const axis = Int32Array.from({ length: ids.length }, (_, i) => i);
  return { axes: [axis, axis, axis], next: ids.length };
}

/** Refuses images and videos that a sequence has no placeholder tokens for. */
export function refuseLeft(left: readonly Grid[]): void {
  if (left.length === 0) return;
  throw modelError('the sequence', `has no placeholder tokens for ${left.length} of its images or videos`);
}

/** Positions below this fit into a number together. */
const MOST = 2 ** 17;

/**
 * Each place once, and for every token which one is its own: completions of a prompt stand at the same places.
 *
 * @internal
 */
export function distinctPositions([time, height, width]: Axes): { distinct: Axes; rows: Int32Array } {
  const first: number[] = [];
  const found = new Map<number, number>();
  const rows = time.map((t, i) => {
    const [h, w] = [height[i], width[i]];
    // Beyond, every token counts as a place of its own.
    const known = Math.max(t, h, w) < MOST && Math.min(t, h, w) >= 0;
    const key = known ? t + MOST * (h + MOST * w) : -1 - i;
    let row = found.get(key);
    if (row === undefined) {
      row = first.length;
      found.set(key, row);
      first.push(i);
    }
    return row;
  });
  const pick = (axis: Int32Array) => Int32Array.from(first, (i) => axis[i]);
  return { distinct: [pick(time), pick(height), pick(width)], rows };
}
