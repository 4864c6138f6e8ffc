/** Every differentiable op, one file per kernel family, with the types of what they take and give. */

export type { Span, Tiles } from '../../kernels/attention/segments.js';
export {
  type AttentionOptions,
  type AttentionVariant,
  type PackedVariant,
  type Segment,
  Segments,
  type SharedPrefixGroup,
} from '../../kernels/attention.js';
export type { EmbeddingIds } from '../../kernels/embedding.js';
export type { RowIds } from '../../kernels/layout-rows.js';
export type { MatmulOptions } from '../../kernels/matmul.js';
export type { Activation } from '../../kernels/matmul-problem.js';
export type { MatmulChoice } from '../../kernels/matmul-variants.js';
export type { TileSize } from '../../kernels/matrix-units.js';
export type { RandomAddress, RandomStream } from '../../kernels/random.js';
export { type RotaryTable, rotaryAngles, rotaryTable } from '../../kernels/rotary.js';
export type { TokenStatistics } from '../../kernels/vocab.js';
export * from './activation.js';
export * from './attention.js';
export * from './elementwise.js';
export * from './embedding.js';
export * from './layout.js';
export * from './matmul.js';
export * from './norm.js';
export * from './random.js';
export * from './reduce.js';
export * from './rotary.js';
export * from './vocab.js';
