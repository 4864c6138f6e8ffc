/** Configurations of published models, in the layout in which they are published. */
import type { JsonObject } from '../core/json-fields.js';

const QWEN_TEXT = {
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  hidden_act: 'silu',
  initializer_range: 0.02,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  sliding_window: 32768,
  torch_dtype: 'bfloat16',
  use_cache: true,
  use_sliding_window: false,
};

const QWEN_VL = {
  ...QWEN_TEXT,
  vision_start_token_id: 151652,
  vision_end_token_id: 151653,
  vision_token_id: 151654,
  image_token_id: 151655,
  video_token_id: 151656,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
};

interface Sizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly tied: boolean;
  readonly positions: number;
}

function textSizes(sizes: Sizes): JsonObject {
  return {
    hidden_size: sizes.hidden,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    intermediate_size: sizes.intermediate,
    vocab_size: sizes.vocab,
    tie_word_embeddings: sizes.tied,
    max_position_embeddings: sizes.positions,
    max_window_layers: sizes.layers,
  };
}

function qwen2Vl(sizes: Sizes): JsonObject {
  return {
    architectures: ['Qwen2VLForConditionalGeneration'],
    model_type: 'qwen2_vl',
    ...QWEN_VL,
    ...textSizes(sizes),
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

function qwen25Vl(sizes: Sizes): JsonObject {
  return {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    ...QWEN_VL,
    ...textSizes(sizes),
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

function qwen2(sizes: Sizes): JsonObject {
  return { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', ...QWEN_TEXT, ...textSizes(sizes) };
}

function smolLm2(sizes: Sizes): JsonObject {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    attention_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 2,
    hidden_act: 'silu',
    initializer_range: 0.02,
    mlp_bias: false,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 100000,
    torch_dtype: 'bfloat16',
    ...textSizes(sizes),
  };
}

const QWEN_7B = { hidden: 3584, layers: 28, heads: 28, kvHeads: 4, intermediate: 18944, vocab: 152064 };
const QWEN_15B = { hidden: 1536, layers: 28, heads: 12, kvHeads: 2, intermediate: 8960, vocab: 151936 };
const QWEN_3B = { hidden: 2048, layers: 36, heads: 16, kvHeads: 2, intermediate: 11008, vocab: 151936 };
const QWEN_05B = { hidden: 896, layers: 24, heads: 14, kvHeads: 2, intermediate: 4864, vocab: 151936 };
const SMOL_135M = { hidden: 576, layers: 30, heads: 9, kvHeads: 3, intermediate: 1536, vocab: 49152 };
const SMOL_360M = { hidden: 960, layers: 32, heads: 15, kvHeads: 5, intermediate: 2560, vocab: 49152 };

/** Raw configs by the name that `osler init --arch` takes. */
export const PUBLISHED: Readonly<Record<string, JsonObject>> = {
  'qwen2-vl-2b': qwen2Vl({ ...QWEN_15B, tied: true, positions: 32768 }),
  'qwen2-vl-7b': qwen2Vl({ ...QWEN_7B, tied: false, positions: 32768 }),
  'qwen2.5-vl-3b': qwen25Vl({ ...QWEN_3B, tied: true, positions: 128000 }),
  'qwen2.5-vl-7b': qwen25Vl({ ...QWEN_7B, tied: false, positions: 128000 }),
  'qwen2.5-0.5b': qwen2({ ...QWEN_05B, tied: true, positions: 32768 }),
  'qwen2.5-1.5b': qwen2({ ...QWEN_15B, tied: true, positions: 32768 }),
  'qwen2.5-3b': qwen2({ ...QWEN_3B, tied: true, positions: 32768 }),
  'qwen2.5-7b': qwen2({ ...QWEN_7B, tied: false, positions: 32768 }),
  'smollm2-135m': smolLm2({ ...SMOL_135M, tied: true, positions: 8192 }),
  'smollm2-360m': smolLm2({ ...SMOL_360M, tied: true, positions: 8192 }),
};
