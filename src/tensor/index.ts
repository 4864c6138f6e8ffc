/** Tensors over GPU memory: shapes, dtypes, creation, read-back, scoped lifetime. */
export { type CreateOptions, empty, fromHost, type NestedNumbers, tensor, zeros } from './create.js';
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
  TORCH_FLOATS,
  type TorchFloat,
} from './formats.js';
export { scope } from './scope.js';
export { broadcastShape, checkShape, inferShape, numel, type Shape, sameShape, showShape } from './shape.js';
export { emptyStack, stackOf } from './stack.js';
export { type GradLink, Storage, Tensor, type TensorInit } from './tensor.js';
