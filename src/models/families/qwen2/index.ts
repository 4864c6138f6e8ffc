/** Qwen2 and Qwen2.5 without eyes: a decoder with biases on queries, keys and values. */
import { buildByteTokenizer } from '../../../text/byte-tokenizer.js';
import type { JsonObject } from '../../core/json-fields.js';
import { type DecoderSizes, miniatureDecoder, publishedDecoder } from '../common/miniature.js';
import { fitted, QWEN25_TOKENS, textTokenIds } from '../common/tokens.js';
import type { FamilyRoom } from '../room.js';
import { parseQwen2 } from './config.js';
import { FIRST_SPECIAL_ID, QWEN_3B, QWEN_7B, QWEN_05B, QWEN_15B, QWEN_TEXT } from './shapes.js';

function qwen25(sizes: DecoderSizes): JsonObject {
  const head = { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2' };
  return { ...head, ...QWEN_TEXT, ...publishedDecoder(sizes) };
}

const published: Readonly<Record<string, JsonObject>> = {
  'qwen2.5-0.5b': qwen25({ ...QWEN_05B, tied: true, positions: 32768 }),
  'qwen2.5-1.5b': qwen25({ ...QWEN_15B, tied: true, positions: 32768 }),
  'qwen2.5-3b': qwen25({ ...QWEN_3B, tied: true, positions: 32768 }),
  'qwen2.5-7b': qwen25({ ...QWEN_7B, tied: false, positions: 32768 }),
};

/** The room. */
export const qwen2: FamilyRoom = {
  parse: parseQwen2,
  init: {
    published,
    blueprint: (name) => ({
      raw: published[name],
      tokenizer: buildByteTokenizer({ firstSpecialId: FIRST_SPECIAL_ID, ordinary: QWEN25_TOKENS }),
    }),
    miniatureName: 'qwen2',
    miniature: (size, vocab, ids) => ({
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      ...miniatureDecoder(size, vocab, ids),
    }),
    tokenizer: (merges) => buildByteTokenizer({ ordinary: QWEN25_TOKENS, merges }),
    fitted: (raw, vocab, ids) => fitted(raw, vocab, textTokenIds(ids)),
    files: () => ({}),
  },
};
