/** Tokenizers, chat templates and prompts. Pure: files come in as bytes, so all of it runs in a browser too. */
export * from './byte-tokenizer.js';
export { ChatTemplate, loadChatTemplate, type RenderOptions } from './chat-template.js';
export { QWEN_VL_TEMPLATE } from './default-templates.js';
export { TextError } from './errors.js';
export { learnMerges, type Merge } from './learn-merges.js';
export * from './messages.js';
export * from './prompt.js';
export { StreamDecoder } from './stream.js';
export { type EncodeTextOptions, loadTokenizer, type ReadFile, Tokenizer } from './tokenizer.js';
export { type TokenizerOptions, Vocabulary } from './vocabulary.js';
