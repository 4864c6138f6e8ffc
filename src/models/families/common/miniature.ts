/** Architectures of our own, of the published kinds but small: for tests, for the demo, for machines without a GPU. */
import type { JsonObject } from '../../core/json-fields.js';
import type { MiniatureSize, SpecialIds } from '../room.js';
import { textTokenIds } from './tokens.js';

/** Head dimension 64 in the small one, as in the published models, so that it runs their kernels. */
const DECODERS: Readonly<Record<MiniatureSize, JsonObject>> = {
  tiny: {
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 160,
  },
  small: {
    hidden_size: 512,
    num_hidden_layers: 8,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    intermediate_size: 1408,
  },
};

/** The decoder's part of a miniature's config. */
export function miniatureDecoder(size: MiniatureSize, vocab: number, ids: SpecialIds): JsonObject {
  return {
    ...DECODERS[size],
    vocab_size: vocab,
    tie_word_embeddings: true,
    hidden_act: 'silu',
    initializer_range: 0.02,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    torch_dtype: 'float32',
    use_sliding_window: false,
    ...textTokenIds(ids),
  };
}

/** Sizes of a published decoder. */
export interface DecoderSizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly tied: boolean;
  readonly positions: number;
}

/** The same in the words of config.json. */
export function publishedDecoder(sizes: DecoderSizes): JsonObject {
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
