/** The part of a config.json about the tower, as far as the Qwen-VL models agree on it. */
import { modelError } from '../../core/errors.js';
import type { VisionConfig } from '../../core/grid.js';
import { Fields, type JsonObject } from '../../core/json-fields.js';

/** A tower of the Qwen-VL models. */
export interface QwenVision extends VisionConfig {
  readonly depth: number;
  /** Width of the tower. */
  readonly width: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: 'quick_gelu' | 'silu' | 'gelu';
  /** Width of the features that the merger gives. */
  readonly outSize: number;
  /** Merged cells per side of an attention window; null where all blocks attend to whole images. */
  readonly windowCells: number | null;
  /** Blocks that attend to whole images all the same. */
  readonly fullAttentionBlocks: readonly number[];
  /** Temporal positions per second of video; null where each frame pair counts one. */
  readonly tokensPerSecond: number | null;
  readonly normEps: number;
}

/** What both generations write alike. */
type SharedVision = Pick<
  QwenVision,
  'depth' | 'width' | 'heads' | 'channels' | 'patchSize' | 'mergeSize' | 'temporalPatchSize' | 'normEps'
>;

/** Far more than a patch has of pixels, frames or channels, or a merged cell of patches, along a side. */
const MOST_PATCH = 256;

/** The fields of `vision_config`. */
export function visionFields(raw: JsonObject, file: string): Fields {
  return new Fields(file, [raw], 'vision_config.');
}

/**
 * Reads what both generations write alike. `width` is under another name in each; files saved again may leave out what
 * equals a class default, hence the fallbacks.
 */
export function sharedVision(fields: Fields, width: number, file: string): SharedVision {
  const heads = fields.count('num_heads', 16);
  if (width % heads !== 0 || (width / heads) % 4 !== 0) {
    const need = 'the width of a head must be a multiple of 4';
    throw modelError(`${file}: vision_config`, `has a width of ${width} and ${heads} heads; ${need}`);
  }
  return {
    depth: fields.layers('depth', 32),
    width,
    heads,
    channels: fields.count('in_channels', 3, MOST_PATCH),
    patchSize: fields.count('patch_size', 14, MOST_PATCH),
    mergeSize: fields.count('spatial_merge_size', 2, MOST_PATCH),
    temporalPatchSize: fields.count('temporal_patch_size', 2, MOST_PATCH),
    normEps: 1e-6,
  };
}
