/** From a conversation to the text a model was trained on: the checkpoint's Jinja template. */
import { Template } from '@huggingface/jinja';
import { QWEN_VL_TEMPLATE } from './default-templates.js';
import { reason, TextError } from './errors.js';
import { decodeUtf8, isObject, type JsonObject, parseObject } from './json.js';
import type { Message } from './messages.js';
import type { ReadFile } from './tokenizer.js';

const DEFAULT_NAME = 'the default chat template';

/** Settings of one rendering. */
export interface RenderOptions {
  /** Ends the text where the assistant begins to speak. */
  readonly addGenerationPrompt?: boolean;
  /** Numbers the pictures: "Picture 1: ". */
  readonly addVisionId?: boolean;
  /** Further variables of the template, such as `tools`. */
  readonly variables?: Readonly<JsonObject>;
}

/** A chat template before it is compiled. */
export interface TemplateSource {
  /** What error messages call it. */
  readonly file: string;
  /** The Jinja text. */
  readonly source: string;
  /** What the template sees besides the messages: `bos_token` and `eos_token`. */
  readonly variables: Readonly<JsonObject>;
}

/** A compiled chat template. */
export class ChatTemplate {
  /** What error messages call it. */
  readonly file: string;
  readonly #template: Template;
  readonly #variables: Readonly<JsonObject>;

  /** What is not given is that of Qwen-VL. */
  constructor({ source, file, variables }: Partial<TemplateSource> = {}) {
    this.file = file ?? DEFAULT_NAME;
    this.#variables = variables ?? {};
    try {
      this.#template = new Template(source ?? QWEN_VL_TEMPLATE);
    } catch (error) {
      throw new TextError(this.file, `is not a valid Jinja template: ${reason(error)}`, { cause: error });
    }
  }

  /** Renders a conversation. A picture becomes one placeholder, whatever its size. */
  render(messages: readonly Message[], options: RenderOptions = {}): string {
    try {
      return this.#template.render({
        ...this.#variables,
        ...options.variables,
        messages: messages.map(plain),
        add_generation_prompt: options.addGenerationPrompt ?? false,
        add_vision_id: options.addVisionId ?? false,
      });
    } catch (error) {
      throw new TextError(this.file, `cannot render the conversation: ${reason(error)}`, { cause: error });
    }
  }
}

/**
 * What the template sees of a message. Pictures are shown without their pixels, and text alone as a string, which is all
 * that templates of text models understand; templates of vision models render it like a list.
 */
function plain({ role, content }: Message): JsonObject {
  if (typeof content === 'string') return { role, content };
  if (content.every((part) => part.type === 'text')) {
    return { role, content: content.map((part) => part.text).join('') };
  }
  return {
    role,
    content: content.map((part) =>
      part.type === 'text' ? { type: 'text', text: part.text } : { type: 'image' },
    ),
  };
}

/**
 * Finds a checkpoint's chat template, looking where transformers looks, in its order: `chat_template.jinja`,
 * `chat_template.json`, `tokenizer_config.json`.
 *
 * @param read reads a file of the checkpoint's folder.
 * @param folder what error messages call the folder.
 * @param fallback the one of a folder without any.
 */
export async function findChatTemplate(
  read: ReadFile,
  folder = '.',
  fallback = QWEN_VL_TEMPLATE,
): Promise<TemplateSource> {
  const path = (name: string) => `${folder}/${name}`;
  const configBytes = await read('tokenizer_config.json');
  const config = configBytes === undefined ? {} : parseObject(configBytes, path('tokenizer_config.json'));
  const variables = tokenVariables(config);

  const jinja = await read('chat_template.jinja');
  if (jinja !== undefined) {
    const file = path('chat_template.jinja');
    return { file, source: decodeUtf8(jinja, file), variables };
  }
  const json = await read('chat_template.json');
  if (json !== undefined) {
    const file = path('chat_template.json');
    const source = pick(parseObject(json, file).chat_template, file);
    if (source === undefined) throw new TextError(file, 'has no "chat_template"');
    return { file, source, variables };
  }
  const file = path('tokenizer_config.json');
  const source = pick(config.chat_template, file);
  return source === undefined
    ? { file: DEFAULT_NAME, source: fallback, variables }
    : { file, source, variables };
}

/** The template of a `chat_template` field: text, or a list of named ones of which "default" is for chatting. */
function pick(value: unknown, file: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const found: unknown = value.find((entry) => isObject(entry) && entry.name === 'default') ?? value[0];
    if (isObject(found) && typeof found.template === 'string') return found.template;
  }
  throw new TextError(file, 'has a "chat_template" that is neither text nor a list of {name, template}');
}

/** `bos_token` and the like as text; the files also hold them as objects with a `content`. */
function tokenVariables(config: JsonObject): JsonObject {
  const variables: JsonObject = {};
  for (const [key, value] of Object.entries(config)) {
    if (!key.endsWith('_token')) continue;
    const token = isObject(value) ? value.content : value;
    if (typeof token === 'string') variables[key] = token;
  }
  return variables;
}
