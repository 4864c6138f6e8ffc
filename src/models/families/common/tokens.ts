/** What a config says of the special tokens of the tokenizers that we make. */
import type { JsonObject } from '../../core/json-fields.js';
import type { SpecialIds } from '../room.js';

/** The ids that every config names. */
export function textTokenIds(ids: SpecialIds): JsonObject {
  const text = ids['<|endoftext|>'];
  return { bos_token_id: text, eos_token_id: ids['<|im_end|>'], pad_token_id: text };
}
