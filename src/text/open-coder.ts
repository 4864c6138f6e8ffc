/**
 * Opening the text coder of a model folder.
 *
 * A chat template and a tokenizer's patterns are programs that somebody else wrote. A template may loop for ever or double a
 * list until memory is gone; a pattern such as `(a+)+$` takes time that doubles with each character, and no look at it could
 * tell. So they run in a helper, which is ended when it is late or takes too much. It also keeps a long text from holding up
 * whatever else this process does.
 */
import { helpersIfAny } from '../platform/current.js';
import { buildByteTokenizer } from './byte-tokenizer.js';
import { ChatTemplate, findChatTemplate } from './chat-template.js';
import { coderInPlace, type TextCoder } from './coder.js';
import { QWEN_VL_TEMPLATE } from './default-templates.js';
import { openHelperCoder, type TextLimits } from './helper-coder.js';
import { isObject, type JsonObject } from './json.js';
import { buildMetaspaceTokenizer } from './metaspace-tokenizer.js';
import { parseTokenizer, type ReadFile, readTokenizer, Tokenizer, type TokenizerFiles } from './tokenizer.js';

/** Bytes of a tokenizer of ours: whatever its vocabulary is, it takes no time that anybody would notice. */
const SMALL = 1 << 20;

/** Settings of {@link openCoder}. */
export interface CoderOptions extends TextLimits {
  /** The chat template that we would give the model: it serves folders without one. */
  readonly template?: string;
}

/**
 * Loads a folder's tokenizer and chat template.
 *
 * @param read reads a file of the folder.
 * @param folder what error messages call the folder.
 */
export async function openCoder(
  read: ReadFile,
  folder: string,
  { template: own = QWEN_VL_TEMPLATE, ...limits }: CoderOptions = {},
): Promise<TextCoder> {
  const tokenizer = await readTokenizer(read, folder);
  const template = await findChatTemplate(read, folder, own);
  const helpers = helpersIfAny();
  if (helpers === undefined || (template.source === own && isOurs(tokenizer))) {
    return coderInPlace(new Tokenizer(...parseTokenizer(tokenizer)), new ChatTemplate(template));
  }
  return openHelperCoder(helpers, tokenizer, template, limits);
}

/**
 * Whether the programs are those that `osler init` writes, around whatever vocabulary. They and our templates are known to
 * take time and memory in proportion to the text, so they need no helper, whose start would be much of the time that a tiny
 * model takes.
 */
function isOurs(files: TokenizerFiles): boolean {
  const { model, config } = files;
  if (model.length + (config?.length ?? 0) > SMALL) return false;
  const programs = programsOf(parseTokenizer(files)[0]);
  const own = [buildByteTokenizer(), buildMetaspaceTokenizer({ template: '' })];
  return own.some(({ tokenizer }) => isSame(programs, programsOf(tokenizer)));
}

/** A tokenizer without its vocabulary. */
function programsOf(tokenizer: JsonObject): JsonObject {
  const model = isObject(tokenizer.model) ? { ...tokenizer.model, vocab: 0, merges: 0 } : undefined;
  return { ...tokenizer, model, added_tokens: 0 };
}

/** Whether two values of JSON are equal; goes no deeper than the second. */
function isSame(value: unknown, other: unknown): boolean {
  if (Array.isArray(other)) {
    return (
      Array.isArray(value) &&
      value.length === other.length &&
      other.every((entry, i) => isSame(value[i], entry))
    );
  }
  if (!isObject(other)) return value === other;
  const keys = Object.keys(other);
  return (
    isObject(value) &&
    keys.length === Object.keys(value).length &&
    keys.every((key) => isSame(value[key], other[key]))
  );
}
