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
