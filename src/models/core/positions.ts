/**
 * Positions of a sequence for the decoder's rotary embedding. With images every token has three: time, height, width
 * (M-RoPE). The rule is the model authors' (transformers 4.49); later versions agree with it for images, except
 * Qwen2.5-VL in 5.3.0 to 5.5.3, and disagree among themselves for videos.
 */
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import { type Grid, gridTokens } from './grid.js';

/** Positions of one sequence. */
export interface SequencePositions {
  /** One entry per token and axis: first all of time, then all of height, then all of width. */
  readonly axes: readonly [Int32Array, Int32Array, Int32Array];
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

/** Positions of unpadded token ids. */
export function sequencePositions(
  config: ModelConfig,
  ids: ArrayLike<number>,
  media: SequenceMedia = {},
): SequencePositions {
  const time = new Int32Array(ids.length);
  const height = new Int32Array(ids.length);
  const width = new Int32Array(ids.length);
  const pending = { images: [...(media.images ?? [])], videos: [...(media.videos ?? [])] };
  const { image, video } = config.tokens;
  const merge = config.vision?.mergeSize ?? 1;
  let current = 0;
  let videos = 0;
  for (let i = 0; i < ids.length; ) {
    const id = ids[i];
    if (!config.vision || (id !== image && id !== video)) {
      time[i] = height[i] = width[i] = current++;
      i++;
      continue;
    }
    const kind = id === image ? 'image' : 'video';
    const grid = (kind === 'image' ? pending.images : pending.videos).shift();
    if (!grid)
      throw modelError(
        `the sequence has a ${kind} placeholder at token ${i}`,
        `but no ${kind} is left for it`,
      );
    const count = gridTokens(grid, merge);
    for (let k = 0; k < count; k++) {
      if (ids[i + k] === id) continue;
      const text = `[${grid.join(', ')}] takes ${count} placeholder tokens, but token ${i + k} is not one`;
      throw modelError(`the ${kind} grid`, text);
    }
    const step = kind === 'video' ? temporalStep(config, media.secondsPerGrid?.[videos++] ?? 1) : 1;
    current = placeGrid({ time, height, width }, i, current, grid, merge, step);
    i += count;
  }
  const left = pending.images.length + pending.videos.length;
  if (left > 0)
    throw modelError('the sequence', `has no placeholder tokens for ${left} of its images or videos`);
  return { axes: [time, height, width], next: current };
}

/** Temporal positions per temporal patch; truncated only after the product with the patch's index. */
function temporalStep(config: ModelConfig, seconds: number): number {
  const perSecond = config.vision?.tokensPerSecond;
  return perSecond ? perSecond * seconds : 1;
}

/** Fills the positions of one image or video; returns the position after it, one past the largest on any axis. */
function placeGrid(
  out: { readonly time: Int32Array; readonly height: Int32Array; readonly width: Int32Array },
  first: number,
  start: number,
  [frames, h, w]: Grid,
  merge: number,
  step: number,
): number {
  const rows = h / merge;
  const columns = w / merge;
  let at = first;
  for (let t = 0; t < frames; t++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, at++) {
        out.time[at] = start + Math.trunc(t * step);
        out.height[at] = start + y;
        out.width[at] = start + x;
      }
    }
  }
  return start + Math.max(Math.trunc((frames - 1) * step), rows - 1, columns - 1) + 1;
}
