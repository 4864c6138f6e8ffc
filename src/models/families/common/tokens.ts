/** The tokens of the tokenizers that we make, and what a config says of them. */
import type { JsonObject } from '../../core/json-fields.js';
import type { SpecialIds } from '../room.js';

/** Added tokens that Qwen2.5 has beside the special ones. */
export const QWEN25_TOKENS = [
  '<tool_call>',
  '</tool_call>',
  '<|fim_prefix|>',
  '<|fim_middle|>',
  '<|fim_suffix|>',
  '<|fim_pad|>',
  '<|repo_name|>',
  '<|file_sep|>',
] as const;

/** Those of Qwen3. */
export const QWEN3_TOKENS = [
  ...QWEN25_TOKENS,
  '<tool_response>',
  '</tool_response>',
  '<think>',
  '</think>',
] as const;

/** A config with another vocabulary, wherever it says how large that is. */
export function fitted(raw: JsonObject, vocab: number, ids: JsonObject): JsonObject {
  const text = raw.text_config;
  const size = { vocab_size: vocab };
  const nested = text !== null && typeof text === 'object' ? { text_config: { ...text, ...size } } : size;
  return { ...raw, ...ids, ...nested };
}

/** The ids that every config names. */
export function textTokenIds(ids: SpecialIds): JsonObject {
  const text = ids['<|endoftext|>'];
  return { bos_token_id: text, eos_token_id: ids['<|im_end|>'], pad_token_id: text };
}
