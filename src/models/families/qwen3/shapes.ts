/** Published shapes of the decoder, and what the models that see share of them. */
import type { JsonObject } from '../../core/json-fields.js';
import { type DecoderSizes, miniatureDecoder } from '../common/miniature.js';
import type { MiniatureSize, SpecialIds } from '../room.js';

/** What the configs of the text models say. */
export const QWEN3_TEXT: JsonObject = {
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  head_dim: 128,
  hidden_act: 'silu',
  initializer_range: 0.02,
  rms_norm_eps: 1e-6,
  use_cache: true,
};

/** A published shape without the fields that its own kind of file adds. */
export type Qwen3Sizes = Omit<DecoderSizes, 'positions'>;

const VOCAB = 151936;

export const QWEN3_06B: Qwen3Sizes = {
  hidden: 1024,
  layers: 28,
  heads: 16,
  kvHeads: 8,
  intermediate: 3072,
  vocab: VOCAB,
  tied: true,
};
/** Of 1.7 B parameters as text; the model of 2 B that sees has the same. */
export const QWEN3_17B: Qwen3Sizes = {
  hidden: 2048,
  layers: 28,
  heads: 16,
  kvHeads: 8,
  intermediate: 6144,
  vocab: VOCAB,
  tied: true,
};
export const QWEN3_4B: Qwen3Sizes = {
  hidden: 2560,
  layers: 36,
  heads: 32,
  kvHeads: 8,
  intermediate: 9728,
  vocab: VOCAB,
  tied: true,
};
export const QWEN3_8B: Qwen3Sizes = {
  hidden: 4096,
  layers: 36,
  heads: 32,
  kvHeads: 8,
  intermediate: 12288,
  vocab: VOCAB,
  tied: false,
};

/** The decoder of a miniature; its heads are wider than their share of the hidden size, as in published models. */
export function miniatureQwen3(size: MiniatureSize, vocab: number, ids: SpecialIds): JsonObject {
  const { use_sliding_window: _, ...decoder } = miniatureDecoder(size, vocab, ids);
  return { ...decoder, attention_bias: false, head_dim: size === 'tiny' ? 32 : 128 };
}
