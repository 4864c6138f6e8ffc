/** A checkpoint's tokenizer: text to token ids and back. */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { bytesOfToken } from './byte-level.js';
import { quote, reason, TextError } from './errors.js';
import { isObject, type JsonObject, parseObject } from './json.js';

/** Reads one file of a checkpoint by its name; `undefined` where there is none. */
export type ReadFile = (name: string) => Promise<Uint8Array | undefined>;

/** More ids than any tokenizer has: a vocabulary that names larger ones is corrupt. */
const MAX_ID = 1 << 24;

/** Settings of {@link Tokenizer}. */
export interface TokenizerOptions {
  /** What error messages call it: a path. */
  readonly file?: string;
}

/** Encodes and decodes text as the checkpoint's authors do. */
export class Tokenizer {
  /** What error messages call it. */
  readonly file: string;
  /** The checkpoint's `tokenizer_config.json`, or an empty object. */
  readonly config: Readonly<JsonObject>;
  /** One more than the largest id. A model's embedding may have more rows: they are padding. */
  readonly size: number;
  /** Ids that decoding can leave out. */
  readonly specialIds: ReadonlySet<number>;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  /** Whether each token stands for bytes, as in Qwen, Llama 3 and SmolLM2. */
  readonly isByteLevel: boolean;
  readonly #hub: HubTokenizer;
  readonly #added: ReadonlySet<number>;

  /**
   * @param model the content of `tokenizer.json`.
   * @param config the content of `tokenizer_config.json`.
   */
  constructor(model: JsonObject, config: JsonObject = {}, options: TokenizerOptions = {}) {
    this.file = options.file ?? 'tokenizer.json';
    this.config = config;
    const added = checkModel(model, this.file);
    try {
      const defaults = { decoder: null, post_processor: null, pre_tokenizer: null, normalizer: null };
      this.#hub = new HubTokenizer({ ...defaults, ...model, added_tokens: added }, config);
    } catch (error) {
      throw new TextError(this.file, `cannot be used as a tokenizer: ${reason(error)}`, { cause: error });
    }
    this.#added = new Set(added.map((token) => token.id));
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    this.size = 1 + Math.max(-1, ...this.#added, largestId(model.model as JsonObject));
    this.isByteLevel = isByteLevelDecoder(model.decoder);
    this.bosId = this.#configured('bos_token');
    this.eosId = this.#configured('eos_token');
    this.padId = this.#configured('pad_token');
  }

  /**
   * Text to ids. Added tokens such as `<|im_end|>` are recognised wherever they stand in the text.
   *
   * @param options.addSpecialTokens lets the tokenizer put its own begin and end tokens (Llama's bos; Qwen has none).
   *   Off by default: a chat template writes them itself.
   */
  encode(text: string, options: { addSpecialTokens?: boolean } = {}): number[] {
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

  /** Ids to text. Ids without a token, such as a model's padding rows, give nothing. */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const known = Array.from(ids).filter((id) => this.token(id) !== undefined);
    if (known.length === 0) return '';
    return this.#hub.decode(known, {
      skip_special_tokens: options.skipSpecialTokens ?? false,
      // Whatever tokenizer_config.json says: it would delete spaces that the model wrote, and what a stream has already
      // given cannot be taken back.
      clean_up_tokenization_spaces: false,
    });
  }

  /** The vocabulary's spelling of an id; `undefined` where it has none. */
  token(id: number): string | undefined {
    return this.#hub.id_to_token(id);
  }

  /** The id of a vocabulary entry or added token; `undefined` where there is none. */
  tokenId(token: string): number | undefined {
    return this.#hub.token_to_id(token);
  }

  /** The id of a token that the caller cannot do without. */
  requireId(token: string): number {
    const id = this.tokenId(token);
    if (id === undefined)
      throw new TextError(this.file, `has no token ${quote(token)}, which is needed here`);
    return id;
  }

  /** The bytes a token of a byte-level tokenizer adds to the text; none for an id without a token. */
  tokenBytes(id: number): Uint8Array {
    const token = this.token(id);
    if (token === undefined) return new Uint8Array(0);
    const bytes = this.#added.has(id) ? undefined : bytesOfToken(token);
    return bytes ?? new TextEncoder().encode(token);
  }

  #configured(key: string): number | undefined {
    const value = this.config[key];
    const token = isObject(value) ? value.content : value;
    return typeof token === 'string' ? this.tokenId(token) : undefined;
  }
}

/**
 * Loads `tokenizer.json` and, if there is one, `tokenizer_config.json`.
 *
 * @param read reads a file of the checkpoint's folder.
 * @param folder what error messages call the folder.
 */
export async function loadTokenizer(read: ReadFile, folder = '.'): Promise<Tokenizer> {
  const path = (name: string) => `${folder}/${name}`;
  const model = await read('tokenizer.json');
  if (model === undefined) {
    throw new TextError(
      path('tokenizer.json'),
      'does not exist; the checkpoint needs it to read and write text',
    );
  }
  const config = await read('tokenizer_config.json');
  return new Tokenizer(
    parseObject(model, path('tokenizer.json')),
    config === undefined ? {} : parseObject(config, path('tokenizer_config.json')),
    { file: path('tokenizer.json') },
  );
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** Checks what the tokenizer library takes on trust: it would allocate by an id, or fail much later. */
function checkModel(model: JsonObject, file: string): AddedToken[] {
  if (!isObject(model.model)) throw new TextError(file, 'has no "model"; it is no tokenizer.json');
  const { type } = model.model;
  // The library takes an unknown kind for a legacy one without a word.
  if (type !== undefined && !['BPE', 'Unigram', 'WordPiece'].includes(type as string)) {
    throw new TextError(
      file,
      `has a model of the kind ${quote(String(type))}; known are BPE, Unigram and WordPiece`,
    );
  }
  const checkId = (id: unknown, token: string) => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_ID) {
      throw new TextError(file, `gives the token ${quote(token)} the id ${String(id)}, which is no token id`);
    }
  };
  if (isObject(model.model.vocab)) {
    for (const [token, id] of Object.entries(model.model.vocab)) checkId(id, token);
  }
  const added: unknown = model.added_tokens ?? [];
  if (!Array.isArray(added)) throw new TextError(file, 'has "added_tokens" that are not a list');
  for (const token of added) {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '') {
      throw new TextError(file, 'has an added token without content');
    }
    checkId(token.id, token.content);
  }
  return added.map((token) => ({ ...token, special: token.special === true }));
}

function largestId(model: JsonObject): number {
  if (Array.isArray(model.vocab)) return model.vocab.length - 1;
  let largest = -1;
  if (isObject(model.vocab)) {
    for (const id of Object.values(model.vocab)) largest = Math.max(largest, id as number);
  }
  return largest;
}

function isByteLevelDecoder(decoder: unknown): boolean {
  if (!isObject(decoder)) return false;
  if (decoder.type === 'Sequence' && Array.isArray(decoder.decoders)) {
    return decoder.decoders.length > 0 && decoder.decoders.every(isByteLevelDecoder);
  }
  return decoder.type === 'ByteLevel';
}
