/**
 * A small tokenizer for checkpoints that are made, not downloaded: the shape of Gemma's (BPE over whole texts whose spaces are
 * spelled out, bytes for characters that are not in the vocabulary), with a vocabulary of ASCII and whatever merges are
 * asked for.
 */
import { bytesOfToken } from './byte-level.js';
import type { BuiltTokenizer } from './byte-tokenizer.js';
import { TextError } from './errors.js';

/** What a space is in the vocabulary. */
const SPACE = '\u2581';

/** Special tokens, in the order of their ids where none are given. */
export const GEMMA_TOKENS = [
  '<pad>',
  '<eos>',
  '<bos>',
  '<unk>',
  '<start_of_turn>',
  '<end_of_turn>',
  '<start_of_image>',
  '<end_of_image>',
  '<image_soft_token>',
] as const;

/** Settings of {@link buildMetaspaceTokenizer}. */
export interface MetaspaceTokenizerOptions {
  /** Ids of the special tokens, and the first of the others; they come one after another, the special ones first, by default. */
  readonly ids?: { readonly special: Readonly<Record<string, number>>; readonly first: number };
  readonly template: string;
  /** Merges in order of priority, spelled in the byte alphabet (a space is `Ġ`); those of parts of characters are left out. */
  readonly merges?: readonly (readonly [string, string])[];
}

/** Makes a tokenizer; equal options give equal bytes. */
export function buildMetaspaceTokenizer(options: MetaspaceTokenizerOptions): BuiltTokenizer {
  const inOrder = Object.fromEntries(GEMMA_TOKENS.map((token, i) => [token, i]));
  const { special: ids, first } = options.ids ?? { special: inOrder, first: GEMMA_TOKENS.length };
  const vocab: Record<string, number> = Object.assign(Object.create(null), ids);
  const taken = new Set(Object.values(ids));
  let next = first;
  const add = (entry: string) => {
    if (Object.hasOwn(vocab, entry)) return;
    if (taken.has(next))
      throw new TextError('the tokenizer', `has too many merges: its id ${next} is a special token's`);
    vocab[entry] = next++;
  };
  for (let byte = 0; byte < 256; byte++) add(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  for (let code = 0; code < 128; code++) add(code === 32 ? SPACE : String.fromCharCode(code));
  const merges: string[][] = [];
  for (const pair of options.merges ?? []) {
    const [left, right] = pair.map(spelled);
    if (left === undefined || right === undefined) continue;
    // Characters beyond ASCII are there for those that merge with others.
    for (const character of left + right) add(character);
    if (!Object.hasOwn(vocab, left) || !Object.hasOwn(vocab, right)) continue;
    add(left + right);
    merges.push([left, right]);
  }
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: GEMMA_TOKENS.map((content) => ({
      id: ids[content],
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })).sort((a, b) => a.id - b.id),
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
    pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<bos>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: '<bos>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '<bos>', type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { '<bos>': { id: '<bos>', ids: [ids['<bos>']], tokens: ['<bos>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges,
    },
  };
  const config = {
    add_bos_token: true,
    add_eos_token: false,
    added_tokens_decoder: Object.fromEntries(
      tokenizer.added_tokens.map(({ id, ...token }) => [String(id), token]),
    ),
    boi_token: '<start_of_image>',
    bos_token: '<bos>',
    clean_up_tokenization_spaces: false,
    eoi_token: '<end_of_image>',
    eos_token: '<eos>',
    image_token: '<image_soft_token>',
    model_max_length: 131072,
    pad_token: '<pad>',
    spaces_between_special_tokens: false,
    tokenizer_class: 'GemmaTokenizer',
    unk_token: '<unk>',
  };
  return {
    files: {
      'tokenizer.json': `${JSON.stringify(tokenizer, null, 2)}\n`,
      'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
      'chat_template.jinja': options.template,
    },
    tokenizer,
    config,
    ids,
    size: Math.max(next, ...[...taken].map((id) => id + 1)),
  };
}

/** A token of the byte alphabet as text; undefined where it is no whole characters. */
function spelled(token: string): string | undefined {
  const bytes = bytesOfToken(token);
  if (!bytes) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replaceAll(' ', SPACE);
  } catch {
    return undefined;
  }
}
