/** Generation: completions of prompts, batched continuously over a shared KV cache. */

export { Generator, type GeneratorOptions } from './generator.js';
export { GenerationHandle } from './handle.js';
export type {
  Completion,
  FinishReason,
  GenerationRequest,
  TokenEvent,
} from './request.js';
export { kvBytesPerToken } from './slab.js';
export { loadStopIds } from './stop-ids.js';
