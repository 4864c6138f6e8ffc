/** Tensors over GPU memory: shapes, dtypes, creation, read-back, scoped lifetime. */
export { type CreateOptions, empty, fromHost, type NestedNumbers, tensor, zeros } from './create.js';
export { dynamicTable, midpoints } from './dynamic-table.js';
export {
  bytesOf,
  DTYPES,
  type DType,
  decode,
  encode,
  FLOATS,
  type FloatDType,
  type Format,
  type FormatSegment,
  formatOf,
  fromFile,
  fromTorch,
  type HostArray,
  type PlacedSegment,
  placeSegments,
  segmentsWithin,
  TORCH_FLOATS,
  type TorchFloat,
  WEIGHTS,
  type WeightFormat,
} from './formats.js';
export { describeBlocks, INT4_BLOCK, type Int4, int4ToF32 } from './int4.js';
export { NF4_BLOCK, NF4_LEVELS, type Nf4, nf4ToF32, quantizeNf4 } from './nf4.js';
export { type CompressedScales, compressScales, expandScales, SCALE_BLOCK } from './nf4-scales.js';
export { scope } from './scope.js';
export { broadcastShape, checkShape, inferShape, numel, type Shape, sameShape, showShape } from './shape.js';
export { emptyStack, stackOf } from './stack.js';
export { type GradLink, Storage, Tensor, type TensorInit, type Within } from './tensor.js';
