/**
 * Positions of the Qwen-VL models (M-RoPE): every token has three, in time, height and width. The rule is the model authors'
 * (transformers 4.49); later versions agree with it for images, except Qwen2.5-VL in 5.3.0 to 5.5.3, and disagree among
 * themselves for videos.
 */
import type { TokenIds } from '../../core/config.js';
import { modelError } from '../../core/errors.js';
import { type Grid, gridTokens } from '../../core/grid.js';
import { refuseLeft, type SequenceMedia, type SequencePositions } from '../../core/positions.js';

/** What the rule needs to know of a model. */
export interface PositionRule extends Pick<TokenIds, 'image' | 'video'> {
  readonly mergeSize: number;
  /** Temporal positions per second of video; null where each frame pair counts one. */
  readonly tokensPerSecond: number | null;
}

/** Positions of unpadded token ids. */
export function multimodalPositions(
  { image, video, mergeSize, tokensPerSecond }: PositionRule,
  ids: ArrayLike<number>,
  media: SequenceMedia = {},
): SequencePositions {
  const time = new Int32Array(ids.length);
  const height = new Int32Array(ids.length);
  const width = new Int32Array(ids.length);
  const pending = { images: [...(media.images ?? [])], videos: [...(media.videos ?? [])] };
  let current = 0;
  let videos = 0;
  for (let i = 0; i < ids.length; ) {
    const id = ids[i];
    if (id !== image && id !== video) {
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
    const count = gridTokens(grid, mergeSize);
    for (let k = 0; k < count; k++) {
      if (ids[i + k] === id) continue;
      const text = `[${grid.join(', ')}] takes ${count} placeholder tokens, but token ${i + k} is not one`;
      throw modelError(`the ${kind} grid`, text);
    }
    const step = kind === 'video' ? temporalStep(tokensPerSecond, media.secondsPerGrid?.[videos++]) : 1;
    current = placeGrid({ time, height, width }, i, current, grid, mergeSize, step);
    i += count;
  }
  refuseLeft([...pending.images, ...pending.videos]);
  return { axes: [time, height, width], next: current };
}

/** Temporal positions per temporal patch; truncated only after the product with the patch's index. */
function temporalStep(perSecond: number | null, seconds = 1): number {
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
