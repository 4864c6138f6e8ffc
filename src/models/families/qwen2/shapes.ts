/** Published shapes of the decoder, which the models that see share. */
import type { JsonObject } from '../../core/json-fields.js';

/** What all of their configs say. */
export const QWEN_TEXT: JsonObject = {
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

/** Id of the first special token. */
export const FIRST_SPECIAL_ID = 151643;

export const QWEN_7B = {
  hidden: 3584,
  layers: 28,
  heads: 28,
  kvHeads: 4,
  intermediate: 18944,
  vocab: 152064,
};
export const QWEN_15B = {
  hidden: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  intermediate: 8960,
  vocab: 151936,
};
export const QWEN_3B = {
  hidden: 2048,
  layers: 36,
  heads: 16,
  kvHeads: 2,
  intermediate: 11008,
  vocab: 151936,
};
export const QWEN_05B = {
  hidden: 896,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  intermediate: 4864,
  vocab: 151936,
};
