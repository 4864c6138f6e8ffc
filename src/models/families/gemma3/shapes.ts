/** Published shapes and miniatures. */
import type { ModelConfig } from '../../core/config.js';
import type { JsonObject } from '../../core/json-fields.js';
import { gemma3TokenIds, miniatureGemma3 } from '../gemma3-text/shapes.js';
import type { MiniatureSize, SpecialIds } from '../room.js';

const HEAD = { architectures: ['Gemma3ForConditionalGeneration'], model_type: 'gemma3' };

const SIGLIP: JsonObject = {
  hidden_size: 1152,
  image_size: 896,
  intermediate_size: 4304,
  model_type: 'siglip_vision_model',
  num_attention_heads: 16,
  num_hidden_layers: 27,
  patch_size: 14,
  vision_use_head: false,
};

/** The published file leaves out what is as it is by default. */
const GEMMA3_4B: JsonObject = {
  ...HEAD,
  boi_token_index: 255999,
  eoi_token_index: 256000,
  eos_token_id: [1, 106],
  image_token_index: 262144,
  initializer_range: 0.02,
  mm_tokens_per_image: 256,
  text_config: {
    hidden_size: 2560,
    intermediate_size: 10240,
    model_type: 'gemma3_text',
    num_hidden_layers: 34,
    rope_scaling: { factor: 8, rope_type: 'linear' },
    sliding_window: 1024,
  },
  torch_dtype: 'bfloat16',
  vision_config: SIGLIP,
};

/** Raw configs as they are published. */
export const PUBLISHED: Readonly<Record<string, JsonObject>> = {
  'gemma3-4b': GEMMA3_4B,
  'medgemma-4b': GEMMA3_4B,
};

/** Pictures of 16 and of 64 tokens, each of 4 x 4 patches, as in published models. */
const TOWERS: Readonly<Record<MiniatureSize, JsonObject>> = {
  tiny: {
    hidden_size: 64,
    image_size: 224,
    intermediate_size: 128,
    num_attention_heads: 4,
    num_hidden_layers: 2,
  },
  small: {
    hidden_size: 256,
    image_size: 448,
    intermediate_size: 1024,
    num_attention_heads: 4,
    num_hidden_layers: 8,
  },
};
const TOKENS: Readonly<Record<MiniatureSize, number>> = { tiny: 16, small: 64 };

/** The raw config of a miniature for a vocabulary. */
export function miniature(size: MiniatureSize, vocab: number, ids: SpecialIds): JsonObject {
  return {
    ...HEAD,
    torch_dtype: 'float32',
    ...imageTokenIds(ids),
    ...gemma3TokenIds(ids),
    mm_tokens_per_image: TOKENS[size],
    text_config: { model_type: 'gemma3_text', ...miniatureGemma3(size, vocab) },
    vision_config: { ...SIGLIP, ...TOWERS[size] },
  };
}

/** The ids that the config of a model that sees names. */
export function imageTokenIds(ids: SpecialIds): JsonObject {
  return {
    boi_token_index: ids['<start_of_image>'],
    eoi_token_index: ids['<end_of_image>'],
    image_token_index: ids['<image_soft_token>'],
  };
}

/** The published preprocessor_config.json. */
export function pictureSettings({ vision }: ModelConfig): JsonObject {
  return {
    do_convert_rgb: null,
    do_normalize: true,
    do_pan_and_scan: null,
    do_rescale: true,
    do_resize: true,
    image_mean: vision?.pictures.mean,
    image_processor_type: 'Gemma3ImageProcessor',
    image_std: vision?.pictures.std,
    processor_class: 'Gemma3Processor',
    resample: 2,
    rescale_factor: vision?.pictures.rescaleFactor,
    size: vision?.pictures.exactSize,
  };
}
