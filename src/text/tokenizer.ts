/** A checkpoint's tokenizer: text to token ids and back. */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { quote, reason, TextError } from './errors.js';
import { type JsonObject, parseObject } from './json.js';
import { addedTokens, type TokenizerOptions, Vocabulary } from './vocabulary.js';

/** Reads one file of a checkpoint by its name; `undefined` where there is none. */
export type ReadFile = (name: string) => Promise<Uint8Array | undefined>;

/**
 * Encodes and decodes text as the checkpoint's authors do. Patterns of its files run in this process, for as long as they
 * like; commands and trainers encode in one that can be ended.
 */
export class Tokenizer extends Vocabulary {
  readonly #hub: HubTokenizer;

  /**
   * @param model the content of `tokenizer.json`.
   * @param config the content of `tokenizer_config.json`.
   */
  constructor(model: JsonObject, config: JsonObject = {}, options: TokenizerOptions = {}) {
    super(model, config, options);
    const defaults = { decoder: null, post_processor: null, pre_tokenizer: null, normalizer: null };
    const added_tokens = addedTokens(model, this.file);
    try {
      // The list of the config is for decoding, which the vocabulary does; the library would be slow to look at it.
      this.#hub = new HubTokenizer(
        { ...defaults, ...model, decoder: null, added_tokens },
        { ...config, additional_special_tokens: [] },
      );
    } catch (error) {
      throw new TextError(this.file, `cannot be used as a tokenizer: ${reason(error)}`, { cause: error });
    }
  }

  /**
   * Text to ids. Added tokens such as `<|im_end|>` are recognised wherever they stand in the text.
   *
   * @param options.addSpecialTokens lets the tokenizer put its own begin and end tokens (Llama's bos; Qwen has none).
   *   Off by default: a chat template writes them itself.
   */
  encode(text: string, options: EncodeTextOptions = {}): number[] {
    if (text === '') return [];
    let ids: (number | undefined)[];
    try {
      ids = this.#hub.encode(text, { add_special_tokens: options.addSpecialTokens ?? false }).ids;
    } catch (error) {
      throw new TextError(this.file, `cannot encode ${quote(text)}: ${reason(error)}`, { cause: error });
    }
    if (ids.some((id) => !Number.isInteger(id))) {
      throw new TextError(this.file, `has no token for a part of ${quote(text)} and no unknown token`);
    }
    return ids as number[];
  }
}

/** Settings of {@link Tokenizer.encode}. */
export interface EncodeTextOptions {
  readonly addSpecialTokens?: boolean;
}

/** A tokenizer's files as they are. */
export interface TokenizerFiles {
  /** What error messages call the folder. */
  readonly folder: string;
  /** `tokenizer.json`. */
  readonly model: Uint8Array;
  /** `tokenizer_config.json`, if there is one. */
  readonly config: Uint8Array | undefined;
}

/** Reads the files of {@link loadTokenizer}. */
export async function readTokenizer(read: ReadFile, folder: string): Promise<TokenizerFiles> {
  const model = await read('tokenizer.json');
  if (model === undefined) {
    throw new TextError(
      `${folder}/tokenizer.json`,
      'does not exist; the checkpoint needs it to read and write text',
    );
  }
  return { folder, model, config: await read('tokenizer_config.json') };
}

/** A tokenizer's files as a {@link Tokenizer} and a {@link Vocabulary} take them. */
export function parseTokenizer({
  folder,
  model,
  config,
}: TokenizerFiles): [model: JsonObject, config: JsonObject, options: Required<TokenizerOptions>] {
  const file = `${folder}/tokenizer.json`;
  return [
    parseObject(model, file),
    config === undefined ? {} : parseObject(config, `${folder}/tokenizer_config.json`),
    { file },
  ];
}

/**
 * Loads `tokenizer.json` and, if there is one, `tokenizer_config.json`.
 *
 * @param read reads a file of the checkpoint's folder.
 * @param folder what error messages call the folder.
 */
export async function loadTokenizer(read: ReadFile, folder = '.'): Promise<Tokenizer> {
  return new Tokenizer(...parseTokenizer(await readTokenizer(read, folder)));
}
