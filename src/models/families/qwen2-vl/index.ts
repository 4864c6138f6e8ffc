/** Qwen2-VL: LayerNorms, plain MLPs, and every patch sees its whole image. */
import { gelu, quickGelu, silu } from '../../../autograd/index.js';
import { PlainMlp } from '../../../nn/mlp.js';
import { modelError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json-fields.js';
import { type DecoderSizes, publishedDecoder } from '../common/miniature.js';
import { type Generation, parseQwenVl } from '../qwen-vl/config.js';
import { QWEN_VL, qwenVlInit } from '../qwen-vl/shapes.js';
import { type QwenVision, sharedVision, visionFields } from '../qwen-vl/vision.js';
import { QWEN_7B, QWEN_15B } from '../qwen2/shapes.js';
import type { FamilyRoom } from '../room.js';

const ACTIVATIONS = { quick_gelu: quickGelu, gelu, silu } as const;

const generation: Generation = {
  family: 'qwen2_vl',
  design: {
    norm: (build, path, { width, normEps }) => build.layerNorm(path, width, { eps: normEps }),
    mlp: (build, path, { width, intermediateSize, activation }) =>
      new PlainMlp(
        build.linear(`${path}.fc1`, width, intermediateSize, true),
        build.linear(`${path}.fc2`, intermediateSize, width, true),
        ACTIVATIONS[activation],
      ),
  },
  vision,
};

/** `hidden_size` is the width of what the merger gives, unlike in the generation that follows. */
function vision(raw: JsonObject, file: string): QwenVision {
  const fields = visionFields(raw, file);
  const width = fields.count('embed_dim', 1280);
  const intermediateSize = Math.trunc(width * fields.positive('mlp_ratio', 4));
  if (intermediateSize < 1)
    throw modelError(`${file}: "vision_config.mlp_ratio"`, 'leaves the MLPs no width');
  return {
    ...sharedVision(fields, width, file),
    intermediateSize,
    activation: fields.word('hidden_act', ['quick_gelu', 'silu', 'gelu'], 'quick_gelu'),
    outSize: fields.count('hidden_size', 3584),
    windowCells: null,
    fullAttentionBlocks: [],
    tokensPerSecond: null,
  };
}

function published(sizes: DecoderSizes): JsonObject {
  return {
    architectures: ['Qwen2VLForConditionalGeneration'],
    model_type: 'qwen2_vl',
    ...QWEN_VL,
    ...publishedDecoder(sizes),
    vision_config: {
      depth: 32,
      embed_dim: 1280,
      mlp_ratio: 4,
      num_heads: 16,
      in_chans: 3,
      hidden_size: sizes.hidden,
      patch_size: 14,
      spatial_merge_size: 2,
      spatial_patch_size: 14,
      temporal_patch_size: 2,
    },
  };
}

/** The room. */
export const qwen2Vl: FamilyRoom = {
  parse: (raw, file) => parseQwenVl(generation, raw, file),
  init: qwenVlInit({
    name: 'qwen2-vl',
    architecture: 'Qwen2VLForConditionalGeneration',
    modelType: 'qwen2_vl',
    published: {
      'qwen2-vl-2b': published({ ...QWEN_15B, tied: true, positions: 32768 }),
      'qwen2-vl-7b': published({ ...QWEN_7B, tied: false, positions: 32768 }),
    },
    ordinary: [],
    // Head dimension 80 in the small one, as in the published models, so that it runs their kernels.
    towers: {
      tiny: { depth: 3, embed_dim: 64, mlp_ratio: 2, num_heads: 4, hidden_size: 64 },
      small: { depth: 8, embed_dim: 320, mlp_ratio: 4, num_heads: 4, hidden_size: 512 },
    },
    towerSettings: {},
  }),
};
