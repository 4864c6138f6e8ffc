/** Published shapes of the decoder, and what models that see share of them. */

import type { BuiltTokenizer } from '../../../text/byte-tokenizer.js';
import type { Merge } from '../../../text/learn-merges.js';
import { buildMetaspaceTokenizer } from '../../../text/metaspace-tokenizer.js';
import type { JsonObject } from '../../core/json-fields.js';
import type { MiniatureSize, SpecialIds } from '../room.js';
import { GEMMA3_TEMPLATE } from './template.js';

/** Ids of the special tokens in published models, and the first that ours may give to others. */
const PUBLISHED_IDS = {
  special: {
    '<pad>': 0,
    '<eos>': 1,
    '<bos>': 2,
    '<unk>': 3,
    '<start_of_turn>': 105,
    '<end_of_turn>': 106,
    '<start_of_image>': 255999,
    '<end_of_image>': 256000,
    '<image_soft_token>': 262144,
  },
  first: 107,
};

/** A tokenizer with the special ids of published models. */
export function publishedTokenizer(): BuiltTokenizer {
  return buildMetaspaceTokenizer({ ids: PUBLISHED_IDS, template: GEMMA3_TEMPLATE });
}

/** The tokenizer of miniatures and of configs that a user gave. */
export function gemma3Tokenizer(merges: readonly Merge[]): BuiltTokenizer {
  return buildMetaspaceTokenizer({ merges, template: GEMMA3_TEMPLATE });
}

/** What the published configs of text models say. */
export const GEMMA3_TEXT: JsonObject = {
  architectures: ['Gemma3ForCausalLM'],
  model_type: 'gemma3_text',
  attention_bias: false,
  attention_dropout: 0,
  attn_logit_softcapping: null,
  bos_token_id: 2,
  eos_token_id: [1, 106],
  final_logit_softcapping: null,
  head_dim: 256,
  hidden_activation: 'gelu_pytorch_tanh',
  initializer_range: 0.02,
  pad_token_id: 0,
  query_pre_attn_scalar: 256,
  rms_norm_eps: 1e-6,
  rope_local_base_freq: 10000,
  rope_theta: 1000000,
  sliding_window: 512,
  sliding_window_pattern: 6,
  torch_dtype: 'bfloat16',
  use_cache: true,
  vocab_size: 262144,
};

/** Raw configs as they are published. */
export const PUBLISHED: Readonly<Record<string, JsonObject>> = {
  'gemma3-270m': {
    ...GEMMA3_TEXT,
    hidden_size: 640,
    intermediate_size: 2048,
    max_position_embeddings: 32768,
    num_attention_heads: 4,
    num_hidden_layers: 18,
    num_key_value_heads: 1,
  },
  'gemma3-1b': {
    ...GEMMA3_TEXT,
    hidden_size: 1152,
    intermediate_size: 6912,
    max_position_embeddings: 32768,
    num_attention_heads: 4,
    num_hidden_layers: 26,
    num_key_value_heads: 1,
  },
  'medgemma-27b-text': {
    ...GEMMA3_TEXT,
    head_dim: 128,
    hidden_size: 5376,
    intermediate_size: 21504,
    max_position_embeddings: 131072,
    num_attention_heads: 32,
    num_hidden_layers: 62,
    num_key_value_heads: 16,
    query_pre_attn_scalar: 168,
    rope_scaling: { factor: 8, rope_type: 'linear' },
    sliding_window: 1024,
  },
};

/** The width of a head is 64 in the small one. Every second layer sees everything; a window is longer than a picture. */
const MINIATURES: Readonly<Record<MiniatureSize, JsonObject>> = {
  tiny: {
    hidden_size: 64,
    intermediate_size: 160,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    query_pre_attn_scalar: 32,
    sliding_window: 64,
  },
  small: {
    hidden_size: 512,
    intermediate_size: 1408,
    num_hidden_layers: 8,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    head_dim: 64,
    query_pre_attn_scalar: 64,
    sliding_window: 512,
  },
};

/** The decoder of a miniature. */
export function miniatureGemma3(size: MiniatureSize, vocab: number): JsonObject {
  return {
    ...MINIATURES[size],
    attention_bias: false,
    hidden_activation: 'gelu_pytorch_tanh',
    initializer_range: 0.02,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-6,
    rope_local_base_freq: 10000,
    rope_scaling: { factor: 8, rope_type: 'linear' },
    rope_theta: 1e6,
    sliding_window_pattern: 2,
    vocab_size: vocab,
  };
}

/** The ids that every config names. */
export function gemma3TokenIds(ids: SpecialIds): JsonObject {
  return {
    bos_token_id: ids['<bos>'],
    eos_token_id: [ids['<eos>'], ids['<end_of_turn>']],
    pad_token_id: ids['<pad>'],
  };
}
