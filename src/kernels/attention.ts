/** Attention: packed sequences forward and backward, and decoding over a KV cache. */
export {
  type AttentionBackwardOptions,
  type AttentionGradients,
  attentionBackward,
} from './attention/backward.js';
export { type DecodeOptions, decodeAttention, type KvCache, kvAppend, NO_SLOT } from './attention/decode.js';
export { type AttentionResult, attentionForward } from './attention/forward.js';
export type { Segment } from './attention/segment.js';
export { Segments, type SharedPrefixGroup } from './attention/segments.js';
export type { AttentionOptions, AttentionVariant } from './attention/shapes.js';
