/** A checkpoint's vocabulary: which ids there are, and the text that they spell. */
import { bytesOfToken } from './byte-level.js';
import { type Decode, isByteLevelDecoder, makeDecoder } from './decoder.js';
import { quote, TextError } from './errors.js';
import { isObject, type JsonObject } from './json.js';

/** More than any tokenizer has: the largest id, added tokens (28,000 stand for sounds), characters of a token. */
const MAX_ID = 1 << 24;
const MAX_ADDED = 1 << 16;
const MAX_SPELLING = 4096;

/** Settings of {@link Vocabulary} and {@link Tokenizer}. */
export interface TokenizerOptions {
  /** What error messages call it: a path. */
  readonly file?: string;
}

/**
 * Decodes ids, and knows them by name. Whatever its files say, it is made in time and memory that are a small multiple of
 * their size: nothing in them is run. Encoding, which runs their patterns, is the {@link Tokenizer}'s.
 */
export class Vocabulary {
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
  readonly #ids = new Map<string, number>();
  /** By id. */
  readonly #tokens: (string | undefined)[] = [];
  readonly #added = new Set<number>();
  readonly #decode: Decode;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /**
   * @param model the content of `tokenizer.json`.
   * @param config the content of `tokenizer_config.json`.
   */
  constructor(model: JsonObject, config: JsonObject = {}, options: TokenizerOptions = {}) {
    this.file = options.file ?? 'tokenizer.json';
    this.config = config;
    const special = new Set<number>();
    for (const [token, id] of entriesOf(model.model, this.file)) this.#take(token, id);
    for (const token of addedTokens(model, this.file)) {
      this.#take(token.content, token.id);
      this.#added.add(token.id);
      if (token.special) special.add(token.id);
    }
    this.size = this.#tokens.length;
    this.specialIds = special;
    this.isByteLevel = isByteLevelDecoder(model.decoder, this.file);
    this.#decode = makeDecoder(model.decoder, this.file);
    this.bosId = this.#configured('bos_token');
    this.eosId = this.#configured('eos_token');
    this.padId = this.#configured('pad_token');
  }

  /** Ids to text. Ids without a token, such as a model's padding rows, give nothing. */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const wanted = Array.from(ids).filter(
      (id) => this.token(id) !== undefined && !(options.skipSpecialTokens && this.specialIds.has(id)),
    );
    if (wanted.length === 0) return '';
    if (!this.isByteLevel) return this.#decode(wanted.map((id) => this.token(id) as string));
    const pieces = wanted.map((id) => this.#utf8.decode(this.tokenBytes(id), { stream: true }));
    return pieces.join('') + this.#utf8.decode();
  }

  /** The vocabulary's spelling of an id; `undefined` where it has none. */
  token(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** The id of a vocabulary entry or added token; `undefined` where there is none. */
  tokenId(token: string): number | undefined {
    return this.#ids.get(token);
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

  #take(token: string, id: unknown): void {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_ID) {
      throw new TextError(
        this.file,
        `gives the token ${quote(token)} the id ${String(id)}, which is no token id`,
      );
    }
    if (token.length > MAX_SPELLING) {
      const problem = `of ${token.length} characters, more than ${MAX_SPELLING}`;
      throw new TextError(this.file, `has a token ${quote(token)} ${problem}`);
    }
    this.#ids.set(token, id as number);
    this.#tokens[id as number] = token;
  }

  #configured(key: string): number | undefined {
    const value = this.config[key];
    const token = isObject(value) ? value.content : value;
    return typeof token === 'string' ? this.tokenId(token) : undefined;
  }
}

/** An added token, such as `<|im_end|>`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** The added tokens of a `tokenizer.json`. */
export function addedTokens(model: JsonObject, file: string): AddedToken[] {
  const added: unknown = model.added_tokens ?? [];
  if (!Array.isArray(added)) throw new TextError(file, 'has "added_tokens" that are not a list');
  if (added.length > MAX_ADDED) {
    throw new TextError(file, `has ${added.length} added tokens, more than ${MAX_ADDED}`);
  }
  return added.map((token) => {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '') {
      throw new TextError(file, 'has an added token without content');
    }
    return { ...token, id: token.id as number, content: token.content, special: token.special === true };
  });
}

/** The vocabulary of a `tokenizer.json`, in the form that its kind of model has. */
function* entriesOf(model: unknown, file: string): Generator<[token: string, id: unknown]> {
  if (!isObject(model)) throw new TextError(file, 'has no "model"; it is no tokenizer.json');
  const { type, vocab } = model;
  // The library takes an unknown kind for a legacy one without a word.
  if (type !== undefined && !['BPE', 'Unigram', 'WordPiece'].includes(type as string)) {
    const known = 'known are BPE, Unigram and WordPiece';
    throw new TextError(file, `has a model of the kind ${quote(String(type))}; ${known}`);
  }
  if (isObject(vocab) && type !== 'Unigram') {
    for (const token in vocab) yield [token, vocab[token]];
  } else if (Array.isArray(vocab) && (type === 'Unigram' || type === undefined)) {
    for (const [id, entry] of vocab.entries()) {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string') {
        throw new TextError(file, `has an entry ${id} of its vocabulary that is no [token, score]`);
      }
      yield [entry[0], id];
    }
  } else {
    throw new TextError(file, 'has a model without a "vocab" of its kind');
  }
}
