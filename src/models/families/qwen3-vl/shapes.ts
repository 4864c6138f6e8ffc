/** Published shapes and miniatures. */
import type { ModelConfig } from '../../core/config.js';
import type { JsonObject } from '../../core/json-fields.js';
import { publishedDecoder } from '../common/miniature.js';
import { visionTokenIds } from '../qwen-vl/shapes.js';
import {
  miniatureQwen3,
  QWEN3_4B,
  QWEN3_8B,
  QWEN3_17B,
  QWEN3_TEXT,
  type Qwen3Sizes,
} from '../qwen3/shapes.js';
import type { MiniatureSize, SpecialIds } from '../room.js';

const HEAD = { architectures: ['Qwen3VLForConditionalGeneration'], model_type: 'qwen3_vl' };

const IDS: JsonObject = {
  image_token_id: 151655,
  video_token_id: 151656,
  vision_start_token_id: 151652,
  vision_end_token_id: 151653,
};

/** What all towers have, miniatures too. */
const TOWER: JsonObject = {
  hidden_act: 'gelu_pytorch_tanh',
  in_channels: 3,
  initializer_range: 0.02,
  model_type: 'qwen3_vl',
  patch_size: 16,
  spatial_merge_size: 2,
  temporal_patch_size: 2,
};

const TOWER_04B: JsonObject = {
  deepstack_visual_indexes: [5, 11, 17],
  depth: 24,
  hidden_size: 1024,
  intermediate_size: 4096,
  num_heads: 16,
  num_position_embeddings: 2304,
};

const TOWER_06B: JsonObject = {
  deepstack_visual_indexes: [8, 16, 24],
  depth: 27,
  hidden_size: 1152,
  intermediate_size: 4304,
  num_heads: 16,
  num_position_embeddings: 2304,
};

/** The width of a head is 64 in the small one, as in the published models, so that it runs their kernels. */
const TOWERS: Readonly<Record<MiniatureSize, JsonObject>> = {
  tiny: {
    deepstack_visual_indexes: [0, 1],
    depth: 3,
    hidden_size: 64,
    intermediate_size: 128,
    num_heads: 4,
    num_position_embeddings: 144,
    out_hidden_size: 64,
  },
  small: {
    deepstack_visual_indexes: [1, 3, 5],
    depth: 8,
    hidden_size: 256,
    intermediate_size: 1024,
    num_heads: 4,
    num_position_embeddings: 2304,
    out_hidden_size: 512,
  },
};

/** How the miniatures' frequencies are shared out. */
const SECTIONS: Readonly<Record<MiniatureSize, readonly number[]>> = { tiny: [6, 5, 5], small: [24, 20, 20] };

function rope(section: readonly number[]): JsonObject {
  return {
    rope_scaling: { mrope_interleaved: true, mrope_section: section, rope_type: 'default' },
    rope_theta: 5e6,
  };
}

function published(sizes: Qwen3Sizes, tower: JsonObject): JsonObject {
  const { max_window_layers: _, ...decoder } = publishedDecoder({ ...sizes, positions: 262144 });
  return {
    ...HEAD,
    ...IDS,
    text_config: {
      model_type: 'qwen3_vl_text',
      ...QWEN3_TEXT,
      dtype: 'bfloat16',
      ...decoder,
      ...rope([24, 20, 20]),
    },
    tie_word_embeddings: sizes.tied,
    vision_config: { ...TOWER, ...tower, out_hidden_size: sizes.hidden },
  };
}

/** The published preprocessor_config.json. */
export function pictureSettings({ vision }: ModelConfig): JsonObject {
  return {
    size: { longest_edge: vision?.pictures.maxPixels, shortest_edge: vision?.pictures.minPixels },
    patch_size: vision?.patchSize,
    temporal_patch_size: vision?.temporalPatchSize,
    merge_size: vision?.mergeSize,
    image_mean: vision?.pictures.mean,
    image_std: vision?.pictures.std,
    processor_class: 'Qwen3VLProcessor',
    image_processor_type: 'Qwen2VLImageProcessorFast',
  };
}

/** Raw configs as they are published. */
export const PUBLISHED: Readonly<Record<string, JsonObject>> = {
  'qwen3-vl-2b': published(QWEN3_17B, TOWER_04B),
  'qwen3-vl-4b': published(QWEN3_4B, TOWER_04B),
  'qwen3-vl-8b': published(QWEN3_8B, TOWER_06B),
};

/** The raw config of a miniature for a vocabulary. */
export function miniature(size: MiniatureSize, vocab: number, ids: SpecialIds): JsonObject {
  const { torch_dtype, ...decoder } = miniatureQwen3(size, vocab, ids);
  return {
    ...HEAD,
    torch_dtype,
    ...visionTokenIds(ids),
    text_config: { model_type: 'qwen3_vl_text', ...decoder, ...rope(SECTIONS[size]) },
    tie_word_embeddings: true,
    vision_config: { ...TOWER, ...TOWERS[size] },
  };
}
