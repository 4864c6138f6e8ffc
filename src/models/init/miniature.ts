/** Architectures of our own, of the published kinds but small: for tests, for the demo, for machines without a GPU. */
import type { JsonObject } from '../core/json-fields.js';

/** Ids that a tokenizer gave to the special tokens. */
export type SpecialIds = Readonly<Record<string, number>>;

interface Miniature {
  readonly text: JsonObject;
  readonly vision: { readonly older: JsonObject; readonly newer: JsonObject };
  readonly section: readonly number[];
}

const TINY: Miniature = {
  text: {
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 160,
  },
  section: [2, 3, 3],
  vision: {
    older: { depth: 3, embed_dim: 64, mlp_ratio: 2, num_heads: 4, hidden_size: 64 },
    newer: {
      depth: 3,
      hidden_size: 64,
      num_heads: 4,
      intermediate_size: 96,
      fullatt_block_indexes: [2],
      out_hidden_size: 64,
    },
  },
};

/** Head dimensions 64 and 80 as in the published models, so that it runs their kernels. */
const SMALL: Miniature = {
  text: {
    hidden_size: 512,
    num_hidden_layers: 8,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    intermediate_size: 1408,
  },
  section: [8, 12, 12],
  vision: {
    older: { depth: 8, embed_dim: 320, mlp_ratio: 4, num_heads: 4, hidden_size: 512 },
    newer: {
      depth: 8,
      hidden_size: 320,
      num_heads: 4,
      intermediate_size: 864,
      fullatt_block_indexes: [3, 7],
      out_hidden_size: 512,
    },
  },
};

const SIZES = { tiny: TINY, small: SMALL } as const;
const KINDS = ['qwen2.5-vl', 'qwen2-vl', 'qwen2', 'llama'] as const;

/** Names of the miniature architectures; `tiny` and `small` alone mean Qwen2.5-VL. */
export const MINIATURES: readonly string[] = Object.keys(SIZES).flatMap((size) => [
  size,
  ...KINDS.map((kind) => `${size}-${kind}`),
]);

/** The raw config of a miniature for a vocabulary; undefined for other names. */
export function miniature(name: string, vocab: number, ids: SpecialIds): JsonObject | undefined {
  const [, size, kind = 'qwen2.5-vl'] = /^(tiny|small)(?:-(.+))?$/.exec(name) ?? [];
  if (size === undefined || !KINDS.some((known) => known === kind)) return undefined;
  const { text, section, vision } = SIZES[size as keyof typeof SIZES];
  const common = {
    ...text,
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
  if (kind === 'llama') {
    return { architectures: ['LlamaForCausalLM'], model_type: 'llama', ...common, attention_bias: false };
  }
  if (kind === 'qwen2') return { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', ...common };
  const newer = kind === 'qwen2.5-vl';
  const patches = { in_chans: 3, patch_size: 14, spatial_merge_size: 2, temporal_patch_size: 2 };
  return {
    architectures: [newer ? 'Qwen2_5_VLForConditionalGeneration' : 'Qwen2VLForConditionalGeneration'],
    model_type: newer ? 'qwen2_5_vl' : 'qwen2_vl',
    ...common,
    rope_scaling: { type: 'mrope', mrope_section: section },
    ...visionTokenIds(ids),
    vision_config: newer
      ? { ...vision.newer, ...patches, hidden_act: 'silu', window_size: 112, tokens_per_second: 2 }
      : { ...vision.older, ...patches },
  };
}

/** The ids that every config names. */
function textTokenIds(ids: SpecialIds): JsonObject {
  const text = ids['<|endoftext|>'];
  return { bos_token_id: text, eos_token_id: ids['<|im_end|>'], pad_token_id: text };
}

function visionTokenIds(ids: SpecialIds): JsonObject {
  return {
    vision_start_token_id: ids['<|vision_start|>'],
    vision_end_token_id: ids['<|vision_end|>'],
    vision_token_id: ids['<|vision_pad|>'],
    image_token_id: ids['<|image_pad|>'],
    video_token_id: ids['<|video_pad|>'],
  };
}

/** The token ids that a config has to name. */
export function tokenIds(ids: SpecialIds, config: JsonObject): JsonObject {
  return { ...textTokenIds(ids), ...('vision_config' in config && visionTokenIds(ids)) };
}
