/** Llama and what is made like it: a decoder without biases; the published shapes are those of SmolLM2. */
import { buildByteTokenizer } from '../../../text/byte-tokenizer.js';
import type { JsonObject } from '../../core/json-fields.js';
import { type DecoderSizes, miniatureDecoder, publishedDecoder } from '../common/miniature.js';
import { fitted, QWEN25_TOKENS, textTokenIds } from '../common/tokens.js';
import type { FamilyRoom } from '../room.js';
import { parseLlama } from './config.js';

function smolLm2(sizes: DecoderSizes): JsonObject {
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
    ...publishedDecoder(sizes),
  };
}

const SMOL_135M = { hidden: 576, layers: 30, heads: 9, kvHeads: 3, intermediate: 1536, vocab: 49152 };
const SMOL_360M = { hidden: 960, layers: 32, heads: 15, kvHeads: 5, intermediate: 2560, vocab: 49152 };

const published: Readonly<Record<string, JsonObject>> = {
  'smollm2-135m': smolLm2({ ...SMOL_135M, tied: true, positions: 8192 }),
  'smollm2-360m': smolLm2({ ...SMOL_360M, tied: true, positions: 8192 }),
};

/** The room. */
export const llama: FamilyRoom = {
  parse: parseLlama,
  init: {
    published,
    blueprint(name) {
      // Our tokenizer numbers its special tokens otherwise than the published model's own.
      const tokenizer = buildByteTokenizer();
      return { raw: { ...published[name], ...textTokenIds(tokenizer.ids) }, tokenizer };
    },
    miniatureName: 'llama',
    miniature: (size, vocab, ids) => ({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      ...miniatureDecoder(size, vocab, ids),
      attention_bias: false,
    }),
    tokenizer: (merges) => buildByteTokenizer({ ordinary: QWEN25_TOKENS, merges }),
    fitted: (raw, vocab, ids) => fitted(raw, vocab, textTokenIds(ids)),
    files: () => ({}),
  },
};
