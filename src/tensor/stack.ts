/** Tensors that lie one after another in one allocation, so that a view of all of them is a tensor as well. */
import type { Gpu } from '../gpu/index.js';
import { type CreateOptions, empty } from './create.js';
import { bytesOf, type DType, formatOf } from './formats.js';
import { checkShape, numel, type Shape, sameShape } from './shape.js';
import { Storage, Tensor } from './tensor.js';

/**
 * Tensors with undefined contents, which {@link stackOf} can view as one where each of them begins where this adapter can
 * bind and all of them fit one buffer; else each has memory of its own.
 */
export function emptyStack(gpu: Gpu, shapes: readonly Shape[], options: CreateOptions = {}): Tensor[] {
  const { dtype = 'f32', purpose = 'activations' } = options;
  for (const shape of shapes) checkShape(shape, 'emptyStack');
  const sizes = shapes.map((shape) => bytesOf(dtype, numel(shape)));
  const bindable = sizes.slice(0, -1).every((bytes) => bytes % gpu.bindingAlignment === 0);
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const fits = total <= gpu.limits.maxBufferSize;
  if (shapes.length < 2 || !bindable || !fits || !inOnePiece(dtype)) {
    return shapes.map((shape) => empty(gpu, shape, options));
  }
  const storage = new Storage(gpu, total, purpose);
  let end = 0;
  return shapes.map((shape, i) => {
    end += sizes[i];
    return new Tensor({ storage, shape: [...shape], dtype, offset: end - sizes[i] });
  });
}

/** A view of tensors stacked along their first axis; null where they do not lie one after another in memory. */
export function stackOf(tensors: readonly Tensor[]): Tensor | null {
  const [first] = tensors;
  const inner = first.shape.slice(1);
  let end = first.offset;
  let rows = 0;
  for (const { storage, dtype, shape, offset, bytes } of tensors) {
    const next = storage === first.storage && offset === end && dtype === first.dtype;
    if (!next || !sameShape(shape.slice(1), inner)) return null;
    end += bytes;
    rows += shape[0];
  }
  return tensors.length === 1 || inOnePiece(first.dtype) ? first.alias([rows, ...inner]) : null;
}

/** Whether elements are stored one after another, with nothing kept apart from them. */
function inOnePiece(dtype: DType): boolean {
  return formatOf(dtype).segments.length === 1;
}
