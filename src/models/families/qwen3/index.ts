/** Qwen3 without eyes: a decoder with norms on queries and keys, and heads of a width of their own. */
import { buildByteTokenizer } from '../../../text/byte-tokenizer.js';
import type { JsonObject } from '../../core/json-fields.js';
import { publishedDecoder } from '../common/miniature.js';
import { fitted, QWEN3_TOKENS, textTokenIds } from '../common/tokens.js';
import { FIRST_SPECIAL_ID } from '../qwen2/shapes.js';
import type { FamilyRoom } from '../room.js';
import { parseQwen3 } from './config.js';
import {
  miniatureQwen3,
  QWEN3_4B,
  QWEN3_8B,
  QWEN3_06B,
  QWEN3_17B,
  QWEN3_TEXT,
  type Qwen3Sizes,
} from './shapes.js';
import { QWEN3_TEMPLATE } from './template.js';

const HEAD = { architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3' };

function qwen3Model(sizes: Qwen3Sizes): JsonObject {
  const own = { rope_theta: 1e6, sliding_window: null, torch_dtype: 'bfloat16', use_sliding_window: false };
  return { ...HEAD, ...QWEN3_TEXT, ...own, ...publishedDecoder({ ...sizes, positions: 40960 }) };
}

const published: Readonly<Record<string, JsonObject>> = {
  'qwen3-0.6b': qwen3Model(QWEN3_06B),
  'qwen3-1.7b': qwen3Model(QWEN3_17B),
  'qwen3-4b': qwen3Model(QWEN3_4B),
  'qwen3-8b': qwen3Model(QWEN3_8B),
};

const TOKENS = { ordinary: QWEN3_TOKENS, template: QWEN3_TEMPLATE };

/** The room. */
export const qwen3: FamilyRoom = {
  parse: parseQwen3,
  init: {
    published,
    blueprint: (name) => ({
      raw: published[name],
      tokenizer: buildByteTokenizer({ ...TOKENS, firstSpecialId: FIRST_SPECIAL_ID }),
    }),
    miniatureName: 'qwen3',
    miniature: (size, vocab, ids) => ({ ...HEAD, ...miniatureQwen3(size, vocab, ids), rope_theta: 1e6 }),
    tokenizer: (merges) => buildByteTokenizer({ ...TOKENS, merges }),
    fitted: (raw, vocab, ids) => fitted(raw, vocab, textTokenIds(ids)),
    files: () => ({}),
  },
};
