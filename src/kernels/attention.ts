/** Attention: packed sequences forward and backward, and decoding over a KV cache. */
export { kvAppend, NO_SLOT, rotateAppend, rotatesHeads } from './attention/append.js';
export {
  type AttentionBackwardOptions,
  type AttentionGradients,
  attentionBackward,
} from './attention/backward.js';
export type { KvCache } from './attention/cache.js';
export { type DecodeOptions, decodeAttention } from './attention/decode.js';
export { type AttentionResult, attentionForward } from './attention/forward.js';
export type { Segment } from './attention/segment.js';
export { Segments, type SharedPrefixGroup } from './attention/segments.js';
export type { AttentionOptions, AttentionVariant, PackedVariant } from './attention/shapes.js';
