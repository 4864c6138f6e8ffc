/**
 * From the spellings of tokens to text, by the steps that a `tokenizer.json` lists.
 *
 * Decoding happens for every token of every answer, so it is done in this process and in an instant, whatever the file says:
 * steps are few, replace fixed texts (no pattern can run away), and make a text hardly longer.
 */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { reason, TextError } from './errors.js';
import { isObject, type JsonObject } from './json.js';

/** Published tokenizers have up to five steps, and none makes a text longer. */
const MAX_STEPS = 16;
const MAX_DEPTH = 4;
const MAX_GROWTH = 64;

/** A tokenizer that can do no more than decode. */
const NOTHING_ELSE = {
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  model: { type: 'BPE', vocab: {}, merges: [] },
  added_tokens: [],
};

/** The text of some spellings. */
export type Decode = (tokens: string[]) => string;

/** How a file's tokens become text, where they do not simply stand for bytes. */
export function makeDecoder(decoder: unknown, file: string): Decode {
  if (decoder === null || decoder === undefined) return (tokens) => tokens.join(' ');
  const steps = stepsOf(decoder, file, MAX_DEPTH);
  if (steps.length > MAX_STEPS) {
    throw new TextError(file, `has a decoder of ${steps.length} steps, more than ${MAX_STEPS}`);
  }
  const growth = steps.reduce((product, step) => product * growthOf(step, file), 1);
  if (growth > MAX_GROWTH) {
    throw new TextError(
      file,
      `has a decoder that can make a text ${Math.ceil(growth)} times as long, more than ${MAX_GROWTH}`,
    );
  }
  try {
    const sequence = { type: 'Sequence', decoders: [decoder] };
    const hub = new HubTokenizer({ ...NOTHING_ELSE, decoder: sequence }, {});
    return (tokens) => hub.decoder.decode(tokens);
  } catch (error) {
    throw new TextError(file, `has a decoder that cannot be used: ${reason(error)}`, { cause: error });
  }
}

/** Whether each token stands for bytes, as in Qwen, Llama 3 and SmolLM2. */
export function isByteLevelDecoder(decoder: unknown, file: string): boolean {
  if (!isObject(decoder)) return false;
  const steps = stepsOf(decoder, file, MAX_DEPTH);
  return steps.length > 0 && steps.every(({ type }) => type === 'ByteLevel');
}

function stepsOf(decoder: unknown, file: string, depth: number): JsonObject[] {
  if (!isObject(decoder)) throw new TextError(file, 'has a decoder with a step that is not an object');
  if (decoder.type !== 'Sequence') return [decoder];
  if (!Array.isArray(decoder.decoders)) throw new TextError(file, 'has a decoder without a list of steps');
  if (depth === 0) throw new TextError(file, `has a decoder of more than ${MAX_DEPTH} levels`);
  return decoder.decoders.flatMap((step) => stepsOf(step, file, depth - 1));
}

/** How many times as long a step can make a text. */
function growthOf({ type, pattern, content = '' }: JsonObject, file: string): number {
  if (type === 'WordPiece' || type === 'Metaspace' || type === 'BPEDecoder' || type === 'CTC') return 2;
  if (type !== 'Replace') return 1;
  const text = isObject(pattern) && pattern.Regex === undefined ? pattern.String : undefined;
  // "$" would stand for parts of the text that is replaced.
  if (typeof text !== 'string' || text === '' || typeof content !== 'string' || content.includes('$')) {
    throw new TextError(file, 'has a decoder that replaces something else than a text by one without "$"');
  }
  return Math.max(1, content.length / text.length);
}
