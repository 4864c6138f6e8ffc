/** The vision tower's part of a config.json. */
import { modelError } from '../../core/errors.js';
import { Fields, type JsonObject } from '../../core/json-fields.js';

/** A vision tower. */
export interface VisionConfig {
  readonly kind: 'qwen2_vl' | 'qwen2_5_vl';
  readonly depth: number;
  /** Width of the tower. */
  readonly width: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: 'quick_gelu' | 'silu' | 'gelu';
  /** Width of the features that the merger gives. */
  readonly outSize: number;
  readonly channels: number;
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  /** Patches per side of a merged cell. */
  readonly mergeSize: number;
  /** Merged cells per side of an attention window; null where all blocks attend to whole images. */
  readonly windowCells: number | null;
  /** Blocks that attend to whole images all the same. */
  readonly fullAttentionBlocks: readonly number[];
  /** Temporal positions per second of video; null where each frame pair counts one. */
  readonly tokensPerSecond: number | null;
  readonly normEps: number;
}

const ACTIVATIONS = ['quick_gelu', 'silu', 'gelu'] as const;

/**
 * Reads `vision_config`. `hidden_size` there is the merger's output in Qwen2-VL but the tower's width in Qwen2.5-VL. Files
 * saved again may leave out what equals a class default, hence the fallbacks.
 */
export function visionConfig(kind: VisionConfig['kind'], raw: JsonObject, file: string): VisionConfig {
  const fields = new Fields(file, [raw], 'vision_config.');
  const newer = kind === 'qwen2_5_vl';
  const width = newer ? fields.count('hidden_size', 3584) : fields.count('embed_dim', 1280);
  const heads = fields.count('num_heads', 16);
  if (width % heads !== 0 || (width / heads) % 4 !== 0) {
    const need = 'the width of a head must be a multiple of 4';
    throw modelError(`${file}: vision_config`, `has a width of ${width} and ${heads} heads; ${need}`);
  }
  const patchSize = fields.count('patch_size', 14);
  const mergeSize = fields.count('spatial_merge_size', 2);
  const common = {
    kind,
    depth: fields.count('depth', 32),
    width,
    heads,
    channels: fields.count('in_channels', 3),
    patchSize,
    mergeSize,
    temporalPatchSize: fields.count('temporal_patch_size', 2),
    normEps: 1e-6,
  };
  if (!newer) {
    return {
      ...common,
      intermediateSize: Math.trunc(width * fields.positive('mlp_ratio', 4)),
      activation: fields.word('hidden_act', ACTIVATIONS, 'quick_gelu'),
      outSize: fields.count('hidden_size', 3584),
      windowCells: null,
      fullAttentionBlocks: [],
      tokensPerSecond: null,
    };
  }
  const windowCells = Math.floor(Math.floor(fields.count('window_size', 112) / mergeSize) / patchSize);
  if (windowCells < 1) {
    throw modelError(`${file}: "vision_config.window_size"`, 'is smaller than one merged cell');
  }
  return {
    ...common,
    intermediateSize: fields.count('intermediate_size', 3420),
    activation: fields.word('hidden_act', ['silu'], 'silu'),
    outSize: fields.count('out_hidden_size', 3584),
    windowCells,
    fullAttentionBlocks: fields.integers('fullatt_block_indexes', [7, 15, 23, 31]),
    tokensPerSecond: fields.positive('tokens_per_second', 4),
  };
}
