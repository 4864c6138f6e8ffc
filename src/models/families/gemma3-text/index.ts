/** Gemma 3 without eyes: the decoder alone. */
import { fitted } from '../common/tokens.js';
import type { FamilyRoom } from '../room.js';
import { parseGemma3Text } from './config.js';
import { gemma3TokenIds, gemma3Tokenizer, miniatureGemma3, PUBLISHED, publishedTokenizer } from './shapes.js';

/** The room. */
export const gemma3Text: FamilyRoom = {
  parse: parseGemma3Text,
  init: {
    published: PUBLISHED,
    blueprint: (name) => ({ raw: PUBLISHED[name], tokenizer: publishedTokenizer() }),
    miniatureName: 'gemma3-text',
    miniature: (size, vocab, ids) => ({
      architectures: ['Gemma3ForCausalLM'],
      model_type: 'gemma3_text',
      ...miniatureGemma3(size, vocab),
      ...gemma3TokenIds(ids),
      torch_dtype: 'float32',
    }),
    tokenizer: gemma3Tokenizer,
    fitted: (raw, vocab, ids) => fitted(raw, vocab, gemma3TokenIds(ids)),
    files: () => ({}),
  },
};
