/** A text coder whose template and patterns run in a helper, with a deadline and a limit on memory. */
import { type Helper, HelperError, type Helpers } from '../platform/ports/helpers.js';
import type { RenderOptions, TemplateSource } from './chat-template.js';
import type { TextCoder } from './coder.js';
import { quote, TextError } from './errors.js';
import { type Message, mapImages } from './messages.js';
import { type EncodeTextOptions, parseTokenizer, type TokenizerFiles } from './tokenizer.js';
import { Vocabulary } from './vocabulary.js';

/** What the programs of a model folder may take. */
export interface TextLimits {
  /** Seconds for a text, or a file, of so many characters. By default a minute, and a minute more for each million. */
  readonly seconds?: (characters: number) => number;
  /** Memory in MB; 2048 by default. */
  readonly megabytes?: number;
}

/** What `helpers/text.ts` is asked: first for its tokenizer and its template. */
export type TextRequest =
  | { readonly tokenizer: TokenizerFiles }
  | { readonly template: TemplateSource }
  | { readonly messages: readonly Message[]; readonly options: RenderOptions }
  | { readonly text: string; readonly options: EncodeTextOptions };

/** What it answers: nothing, a text, ids, or what is wrong with which file. */
export type TextReply = undefined | string | Int32Array | { readonly file: string; readonly problem: string };

/** Whoever asks for nothing in so long a time does without the helper's memory. */
const IDLE_SECONDS = 600;

/** Loads a folder's files into a helper, and its vocabulary into this process. */
export async function openHelperCoder(
  helpers: Helpers,
  tokenizer: TokenizerFiles,
  template: TemplateSource,
  limits: TextLimits,
): Promise<TextCoder> {
  const programs = new Programs(helpers, tokenizer, template, limits);
  // The helper starts while this process is busy with the vocabulary; whatever is wrong with that, it finds as well.
  const [, vocabulary] = await Promise.all([programs.load(), makeVocabulary(tokenizer)]);
  return {
    vocabulary,
    templateFile: template.file,
    render: (messages, options) => programs.render(messages, options),
    encode: (text, options) => programs.encode(text, options),
  };
}

async function makeVocabulary(files: TokenizerFiles): Promise<Vocabulary> {
  return new Vocabulary(...parseTokenizer(files));
}

/** What a request wants of which file, for the message if it does not get it. */
interface Task {
  readonly file: string;
  readonly failure: string;
  readonly characters: number;
}

/**
 * One request at a time, so that each has all of its time. Where the helper has to be ended, what waits fails as well: a run
 * that has given up would otherwise wait for each of its next prompts to be late. Whoever asks later finds a new helper.
 */
class Programs {
  readonly #helpers: Helpers;
  readonly #tokenizer: TokenizerFiles;
  readonly #template: TemplateSource;
  readonly #seconds: (characters: number) => number;
  readonly #megabytes: number;
  #helper: Helper | undefined;
  /** Shared by what may wait for one another; how it ended, if it did. */
  #line: { failure?: TextError } = {};
  #last: Promise<unknown> = Promise.resolve();

  constructor(helpers: Helpers, tokenizer: TokenizerFiles, template: TemplateSource, limits: TextLimits) {
    this.#helpers = helpers;
    this.#tokenizer = tokenizer;
    this.#template = template;
    this.#seconds = limits.seconds ?? ((characters) => 60 * (1 + characters / 1e6));
    this.#megabytes = limits.megabytes ?? 2048;
  }

  /** Before anything else is asked. */
  async load(): Promise<void> {
    await this.#loaded();
  }

  async render(messages: readonly Message[], options: RenderOptions = {}): Promise<string> {
    const task = { file: this.#template.file, failure: 'cannot render the conversation' };
    const characters = messages.reduce((sum, { content }) => sum + lengthOf(content), 0);
    // What stands for a picture here may be anything, and no template sees it.
    const shown = mapImages(messages, () => undefined);
    return (await this.#ask({ messages: shown, options }, { ...task, characters })) as string;
  }

  async encode(text: string, options: EncodeTextOptions = {}): Promise<number[]> {
    const task = { file: this.#tokenizerFile, failure: `cannot encode ${quote(text)}` };
    const ids = await this.#ask({ text, options }, { ...task, characters: text.length });
    return Array.from(ids as Int32Array);
  }

  get #tokenizerFile(): string {
    return `${this.#tokenizer.folder}/tokenizer.json`;
  }

  #ask(request: TextRequest, task: Task): Promise<TextReply> {
    const line = this.#line;
    const reply = this.#last.then(async () => {
      if (line.failure) throw line.failure;
      return this.#send(await this.#loaded(), request, task);
    });
    this.#last = reply.catch(() => {});
    return reply;
  }

  /** The helper, with the files in it. */
  async #loaded(): Promise<Helper> {
    if (this.#helper && !this.#helper.hasEnded) return this.#helper;
    const helper = await this.#helpers.start('text', {
      megabytes: this.#megabytes,
      idleSeconds: IDLE_SECONDS,
    });
    const [tokenizer, template] = [this.#tokenizer, this.#template];
    const failure = 'cannot be loaded';
    try {
      const { byteLength } = tokenizer.model;
      await this.#send(helper, { tokenizer }, { file: this.#tokenizerFile, failure, characters: byteLength });
      const { length } = template.source;
      await this.#send(helper, { template }, { file: template.file, failure, characters: length });
    } catch (error) {
      helper.end();
      throw error;
    }
    this.#helper = helper;
    return helper;
  }

  async #send(helper: Helper, request: TextRequest, task: Task): Promise<TextReply> {
    const seconds = this.#seconds(task.characters);
    let reply: TextReply;
    try {
      reply = (await helper.ask(request, { seconds })) as TextReply;
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      const limit =
        error.kind === 'late' ? `within ${Math.ceil(seconds)} s` : `in ${this.#megabytes} MB of memory`;
      const failure = new TextError(task.file, `${task.failure} ${limit}`, { cause: error });
      this.#line.failure = failure;
      this.#line = {};
      throw failure;
    }
    if (typeof reply === 'object' && 'problem' in reply) throw new TextError(reply.file, reply.problem);
    return reply;
  }
}

function lengthOf(content: Message['content']): number {
  if (typeof content === 'string') return content.length;
  return content.reduce((sum, part) => sum + (part.type === 'text' ? part.text.length : 0), 0);
}
