/** Tensors that lie one after another in one allocation, so that a view of all of them is a tensor as well. */
import type { Gpu } from '../gpu/index.js';
import { type CreateOptions, empty } from './create.js';
import { bytesOf, type DType, formatOf, segmentsWithin } from './formats.js';
import { checkShape, numel, type Shape, sameShape } from './shape.js';
import { Storage, Tensor } from './tensor.js';

/**
 * Tensors with undefined contents, which {@link stackOf} can view as one where each of them begins where this adapter can
 * bind and all of them fit one buffer; else each has memory of its own.
 */
export function emptyStack(gpu: Gpu, shapes: readonly Shape[], options: CreateOptions = {}): Tensor[] {
  const { dtype = 'f32', purpose = 'activations' } = options;
  for (const shape of shapes) checkShape(shape, 'emptyStack');
  const sizes = shapes.map(numel);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const firsts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const fits = bytesOf(dtype, total) <= gpu.limits.maxBufferSize;
  const bindable = firsts.every((first) => startsAt(gpu, dtype, total, first));
  if (shapes.length < 2 || !bindable || !fits) return shapes.map((shape) => empty(gpu, shape, options));
  const storage = new Storage(gpu, bytesOf(dtype, total), purpose);
  const plain = formatOf(dtype).segments.length === 1;
  return shapes.map((shape, i) => {
    const place = plain ? { offset: bytesOf(dtype, firsts[i]) } : { within: { first: firsts[i], total } };
    return new Tensor({ storage, shape: [...shape], dtype, ...place });
  });
}

/** Whether each segment of what begins with element `first` begins where this adapter can bind, and with whole blocks. */
function startsAt(gpu: Gpu, dtype: DType, total: number, first: number): boolean {
  return segmentsWithin(formatOf(dtype), total, first, 0).every(
    ({ offset, elements }) => first % elements === 0 && offset % gpu.bindingAlignment === 0,
  );
}

/** A view of tensors stacked along their first axis; null where they do not lie one after another in memory. */
export function stackOf(tensors: readonly Tensor[]): Tensor | null {
  const [first] = tensors;
  const inner = first.shape.slice(1);
  let end = first.offset;
  let next = first.within.first;
  const plain = formatOf(first.dtype).segments.length === 1;
  let rows = 0;
  for (const { storage, dtype, shape, offset, bytes, within, size } of tensors) {
    const follows = plain ? offset === end : within.first === next;
    if (storage !== first.storage || dtype !== first.dtype || !follows) return null;
    if (!sameShape(shape.slice(1), inner)) return null;
    end += bytes;
    next += size;
    rows += shape[0];
  }
  const shape = [rows, ...inner];
  if (plain || tensors.length === 1) return first.alias(shape);
  const { storage, dtype, offset, within } = first;
  return new Tensor({ storage, shape, dtype, offset, within });
}
