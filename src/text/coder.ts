/** Conversations to text, and text to ids: what a chat template and a tokenizer do together. */
import type { ChatTemplate, RenderOptions } from './chat-template.js';
import type { Message } from './messages.js';
import type { EncodeTextOptions, Tokenizer } from './tokenizer.js';
import type { Vocabulary } from './vocabulary.js';

/** A model folder's tokenizer and chat template at work, wherever that is. */
export interface TextCoder {
  readonly vocabulary: Vocabulary;
  /** What error messages call the chat template. */
  readonly templateFile: string;
  /** As {@link ChatTemplate.render}. */
  render(messages: readonly Message[], options?: RenderOptions): Promise<string>;
  /** As {@link Tokenizer.encode}. */
  encode(text: string, options?: EncodeTextOptions): Promise<number[]>;
}

/** Works in this process, where nothing can end a template or a pattern that runs away. */
export function coderInPlace(tokenizer: Tokenizer, template: ChatTemplate): TextCoder {
  return {
    vocabulary: tokenizer,
    templateFile: template.file,
    render: async (messages, options) => template.render(messages, options),
    encode: async (text, options) => tokenizer.encode(text, options),
  };
}
