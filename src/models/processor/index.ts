/** What stands between conversations and a model: tokenizer, chat template, image settings, and the one encoder. */
export { ahead, readAll } from './ahead.js';
export { isTooLong, type LengthLimit } from './length.js';
export { loadProcessor, Processor, type ProcessorOptions } from './processor.js';
export {
  type EncodedLesson,
  type EncodedPrompt,
  type EncodeOptions,
  type PreparedPrompt,
  PromptEncoder,
  type Room,
} from './prompt-encoder.js';
