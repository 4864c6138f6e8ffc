/** Qwen3-VL: a Qwen3 decoder, and a tower whose features come in at several depths of it. */
import { buildByteTokenizer } from '../../../text/byte-tokenizer.js';
import { fitted, QWEN3_TOKENS, textTokenIds } from '../common/tokens.js';
import { visionTokenIds } from '../qwen-vl/shapes.js';
import { FIRST_SPECIAL_ID } from '../qwen2/shapes.js';
import type { FamilyRoom } from '../room.js';
import { parseQwen3Vl } from './config.js';
import { miniature, PUBLISHED, pictureSettings } from './shapes.js';
import { QWEN3_VL_TEMPLATE } from './template.js';

const TOKENS = { ordinary: QWEN3_TOKENS, template: QWEN3_VL_TEMPLATE };

/** The room. */
export const qwen3Vl: FamilyRoom = {
  parse: parseQwen3Vl,
  init: {
    published: PUBLISHED,
    blueprint: (name) => ({
      raw: PUBLISHED[name],
      tokenizer: buildByteTokenizer({ ...TOKENS, firstSpecialId: FIRST_SPECIAL_ID }),
    }),
    miniatureName: 'qwen3-vl',
    miniature,
    tokenizer: (merges) => buildByteTokenizer({ ...TOKENS, merges }),
    fitted: (raw, vocab, ids) => fitted(raw, vocab, { ...textTokenIds(ids), ...visionTokenIds(ids) }),
    files: (config) => ({ 'preprocessor_config.json': pictureSettings(config) }),
  },
};
