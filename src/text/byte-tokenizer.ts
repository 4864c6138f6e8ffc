/**
 * A small tokenizer for checkpoints that are made, not downloaded: the shape of Qwen's (byte-level BPE, same splitting,
 * same special tokens), with a vocabulary of the 256 bytes and whatever merges are asked for.
 */
import { BYTE_CHARACTERS } from './byte-level.js';
import { QWEN_VL_TEMPLATE } from './default-templates.js';
import { quote, TextError } from './errors.js';
import type { JsonObject } from './json.js';

/** Special tokens in the order of their ids, by default: those of Qwen2-VL. */
export const SPECIAL_TOKENS = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|object_ref_start|>',
  '<|object_ref_end|>',
  '<|box_start|>',
  '<|box_end|>',
  '<|quad_start|>',
  '<|quad_end|>',
  '<|vision_start|>',
  '<|vision_end|>',
  '<|vision_pad|>',
  '<|image_pad|>',
  '<|video_pad|>',
] as const;

/** How Qwen splits text before merging. */
export const QWEN_SPLIT_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Settings of {@link buildByteTokenizer}. */
export interface ByteTokenizerOptions {
  /** Id of `<|endoftext|>`, the first special token: after the vocabulary by default, 151643 to match Qwen's configs. */
  readonly firstSpecialId?: number;
  /** Further added tokens, which are ordinary text when decoding. */
  readonly ordinary?: readonly string[];
  /** The chat template; that of Qwen2-VL by default. */
  readonly template?: string;
  /** Merges in order of priority, spelled in the byte alphabet (a space is `Ġ`). */
  readonly merges?: readonly (readonly [string, string])[];
}

/** A tokenizer as files of a checkpoint. */
export interface BuiltTokenizer {
  /** Content by file name: tokenizer.json, tokenizer_config.json, chat_template.jinja. */
  readonly files: Readonly<Record<string, string>>;
  /** The first two, parsed. */
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
  /** Ids of the added tokens, as a model's config needs them. */
  readonly ids: Readonly<Record<string, number>>;
  /** Rows that the model's embedding needs at least. */
  readonly size: number;
}

/** Makes a tokenizer; equal options give equal bytes. */
export function buildByteTokenizer(options: ByteTokenizerOptions = {}): BuiltTokenizer {
  const vocab: Record<string, number> = Object.create(null);
  // A list, as every id below the special ones must be taken before the next is given.
  const entries = [...BYTE_CHARACTERS];
  const known = new Set(entries);
  const merges = options.merges ?? [];
  for (const [left, right] of merges) {
    for (const part of [left, right]) {
      if (!known.has(part)) throw new TextError('the merge list', `uses ${quote(part)} before it is made`);
    }
    if (!known.has(left + right)) {
      known.add(left + right);
      entries.push(left + right);
    }
  }
  entries.forEach((entry, id) => {
    vocab[entry] = id;
  });

  const first = options.firstSpecialId ?? entries.length;
  if (!Number.isInteger(first) || first < entries.length) {
    throw new TextError('the tokenizer', `needs its special ids at ${entries.length} or later, not ${first}`);
  }
  const special: readonly string[] = SPECIAL_TOKENS;
  const added = [...special, ...(options.ordinary ?? [])];
  const ids: Record<string, number> = {};
  added.forEach((content, i) => {
    ids[content] = first + i;
    // The Rust tokenizer numbers added tokens after the vocabulary unless the vocabulary has them, so a gap before
    // them would be closed. The published file has no gap and so does without.
    if (first > entries.length) vocab[content] = first + i;
  });

  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map((content, i) => ({
      id: first + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: i < special.length,
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN_SPLIT_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
  const config = {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(
      tokenizer.added_tokens.map(({ id, ...token }) => [String(id), token]),
    ),
    additional_special_tokens: special.slice(1),
    bos_token: null,
    clean_up_tokenization_spaces: false,
    eos_token: '<|im_end|>',
    errors: 'replace',
    model_max_length: 32768,
    pad_token: '<|endoftext|>',
    padding_side: 'left',
    split_special_tokens: false,
    tokenizer_class: 'Qwen2Tokenizer',
    unk_token: null,
  };
  return {
    files: {
      'tokenizer.json': `${JSON.stringify(tokenizer, null, 2)}\n`,
      'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
      'chat_template.jinja': options.template ?? QWEN_VL_TEMPLATE,
    },
    tokenizer,
    config,
    ids,
    size: first + added.length,
  };
}
