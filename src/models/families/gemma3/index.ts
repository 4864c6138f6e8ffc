/** Gemma 3 that sees, and MedGemma, which is the same with other weights. */
import { fitted } from '../common/tokens.js';
import { gemma3TokenIds, gemma3Tokenizer, publishedTokenizer } from '../gemma3-text/shapes.js';
import type { FamilyRoom } from '../room.js';
import { parseGemma3 } from './config.js';
import { imageTokenIds, miniature, PUBLISHED, pictureSettings } from './shapes.js';

/** The room. */
export const gemma3: FamilyRoom = {
  parse: parseGemma3,
  init: {
    published: PUBLISHED,
    blueprint: (name) => ({ raw: PUBLISHED[name], tokenizer: publishedTokenizer() }),
    miniatureName: 'gemma3',
    miniature,
    tokenizer: gemma3Tokenizer,
    fitted: (raw, vocab, ids) => fitted(raw, vocab, { ...gemma3TokenIds(ids), ...imageTokenIds(ids) }),
    files: (config) => ({ 'preprocessor_config.json': pictureSettings(config) }),
  },
};
