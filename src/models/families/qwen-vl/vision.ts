/** The part of a config.json about the tower, as far as the Qwen-VL models agree on it. */
import type { ImageConfig } from '../../../vision/config.js';
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

/** What all generations write alike. */
export type SharedVision = Pick<
  QwenVision,
  | 'depth'
  | 'width'
  | 'heads'
  | 'channels'
  | 'patchSize'
  | 'mergeSize'
  | 'temporalPatchSize'
  | 'normEps'
  | 'pictures'
>;

/** Far more than a patch has of pixels, frames or channels, or a merged cell of patches, along a side. */
const MOST_PATCH = 256;

/** The fields of `vision_config`. */
export function visionFields(raw: JsonObject, file: string): Fields {
  return new Fields(file, [raw], 'vision_config.');
}

/** What a generation has where its files do not say. */
export interface VisionDefaults {
  readonly depth: number;
  readonly patch: number;
  readonly pictures: Omit<ImageConfig, 'patchSize' | 'mergeSize' | 'temporalPatchSize'>;
}

/** The first two generations. */
const DEFAULTS: VisionDefaults = {
  depth: 32,
  patch: 14,
  pictures: {
    exactSize: null,
    filter: 'bicubic',
    panAndScan: null,
    minPixels: 56 * 56,
    maxPixels: 28 * 28 * 16384,
    rescaleFactor: 1 / 255,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
};

/**
 * Reads what all generations write alike. `width` is not under one name in all of them; files saved again may leave out
 * what equals a class default, hence the fallbacks.
 */
export function sharedVision(
  fields: Fields,
  width: number,
  file: string,
  defaults: VisionDefaults = DEFAULTS,
): SharedVision {
  const heads = fields.count('num_heads', 16);
  if (width % heads !== 0 || (width / heads) % 4 !== 0) {
    const need = 'the width of a head must be a multiple of 4';
    throw modelError(`${file}: vision_config`, `has a width of ${width} and ${heads} heads; ${need}`);
  }
  const cut = {
    patchSize: fields.count('patch_size', defaults.patch, MOST_PATCH),
    mergeSize: fields.count('spatial_merge_size', 2, MOST_PATCH),
    temporalPatchSize: fields.count('temporal_patch_size', 2, MOST_PATCH),
  };
  return {
    depth: fields.layers('depth', defaults.depth),
    width,
    heads,
    channels: fields.count('in_channels', 3, MOST_PATCH),
    ...cut,
    pictures: { ...defaults.pictures, ...cut },
    normEps: 1e-6,
  };
}
