/** Tokenizers, chat templates and prompts. Pure: files come in as bytes, so all of it runs in a browser too. */
export * from './byte-tokenizer.js';
export { ChatTemplate, findChatTemplate, type RenderOptions, type TemplateSource } from './chat-template.js';
export { coderInPlace, type TextCoder } from './coder.js';
export { QWEN_VL_TEMPLATE } from './default-templates.js';
export { TextError } from './errors.js';
export { learnMerges, type Merge } from './learn-merges.js';
export * from './messages.js';
export { buildMetaspaceTokenizer, GEMMA_TOKENS } from './metaspace-tokenizer.js';
export { openCoder } from './open-coder.js';
export * from './prompt.js';
export { StreamDecoder } from './stream.js';
export { type EncodeTextOptions, loadTokenizer, type ReadFile, Tokenizer } from './tokenizer.js';
export { type TokenizerOptions, Vocabulary } from './vocabulary.js';
