/** Qwen2.5-VL: RMSNorms, gated MLPs, and most blocks see no further than a window of their image. */
import { GatedMlp } from '../../../nn/mlp.js';
import { modelError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json-fields.js';
import { type DecoderSizes, publishedDecoder } from '../common/miniature.js';
import { QWEN25_TOKENS } from '../common/tokens.js';
import { type Generation, parseQwenVl } from '../qwen-vl/config.js';
import { QWEN_VL, qwenVlInit } from '../qwen-vl/shapes.js';
import { type QwenVision, sharedVision, visionFields } from '../qwen-vl/vision.js';
import { QWEN_3B, QWEN_7B } from '../qwen2/shapes.js';
import type { FamilyRoom } from '../room.js';

const generation: Generation = {
  family: 'qwen2_5_vl',
  design: {
    norm: (build, path, { width, normEps }) => build.rmsNorm(path, width, { eps: normEps }),
    mlp: (build, path, { width, intermediateSize }) =>
      new GatedMlp(
        build.linear(`${path}.gate_proj`, width, intermediateSize, true),
        build.linear(`${path}.up_proj`, width, intermediateSize, true),
        build.linear(`${path}.down_proj`, intermediateSize, width, true),
      ),
  },
  vision,
};

/** `hidden_size` is the tower's own width, unlike in the generation before. */
function vision(raw: JsonObject, file: string): QwenVision {
  const fields = visionFields(raw, file);
  const shared = sharedVision(fields, fields.count('hidden_size', 3584), file);
  const { mergeSize, patchSize } = shared;
  const windowCells = Math.floor(Math.floor(fields.count('window_size', 112) / mergeSize) / patchSize);
  if (windowCells < 1) {
    throw modelError(`${file}: "vision_config.window_size"`, 'is smaller than one merged cell');
  }
  return {
    ...shared,
    intermediateSize: fields.count('intermediate_size', 3420),
    activation: fields.word('hidden_act', ['silu'], 'silu'),
    outSize: fields.count('out_hidden_size', 3584),
    windowCells,
    fullAttentionBlocks: fields.integers('fullatt_block_indexes', [7, 15, 23, 31]),
    tokensPerSecond: fields.positive('tokens_per_second', 4),
  };
}

function published(sizes: DecoderSizes): JsonObject {
  return {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    ...QWEN_VL,
    ...publishedDecoder(sizes),
    vision_config: {
      depth: 32,
      hidden_act: 'silu',
      hidden_size: 1280,
      intermediate_size: 3420,
      num_heads: 16,
      in_chans: 3,
      out_hidden_size: sizes.hidden,
      patch_size: 14,
      spatial_merge_size: 2,
      spatial_patch_size: 14,
      window_size: 112,
      fullatt_block_indexes: [7, 15, 23, 31],
      tokens_per_second: 2,
      temporal_patch_size: 2,
    },
  };
}

/** The room. */
export const qwen25Vl: FamilyRoom = {
  parse: (raw, file) => parseQwenVl(generation, raw, file),
  init: qwenVlInit({
    name: 'qwen2.5-vl',
    architecture: 'Qwen2_5_VLForConditionalGeneration',
    modelType: 'qwen2_5_vl',
    published: {
      'qwen2.5-vl-3b': published({ ...QWEN_3B, tied: true, positions: 128000 }),
      'qwen2.5-vl-7b': published({ ...QWEN_7B, tied: false, positions: 128000 }),
    },
    ordinary: QWEN25_TOKENS,
    // Head dimension 80 in the small one, as in the published models, so that it runs their kernels.
    towers: {
      tiny: {
        depth: 3,
        hidden_size: 64,
        num_heads: 4,
        intermediate_size: 96,
        fullatt_block_indexes: [2],
        out_hidden_size: 64,
      },
      small: {
        depth: 8,
        hidden_size: 320,
        num_heads: 4,
        intermediate_size: 864,
        fullatt_block_indexes: [3, 7],
        out_hidden_size: 512,
      },
    },
    towerSettings: { hidden_act: 'silu', window_size: 112, tokens_per_second: 2 },
  }),
};
