/** Making tensors. */
import { check, type Gpu, type Purpose } from '../gpu/index.js';
import { type DType, elementBytes, encode, type HostArray } from './dtype.js';
import { checkShape, numel, type Shape, showShape } from './shape.js';
import { Storage, Tensor } from './tensor.js';

/** What a new tensor is for and how it is stored. */
export interface CreateOptions {
  readonly dtype?: DType;
  /** Accounting; `activations` by default. */
  readonly purpose?: Purpose;
}

/** Memory with undefined contents: for kernels that write every element. */
export function empty(gpu: Gpu, shape: Shape, options: CreateOptions = {}): Tensor {
  const dtype = options.dtype ?? 'f32';
  checkShape(shape, 'empty');
  const storage = new Storage(gpu, numel(shape) * elementBytes(dtype), options.purpose ?? 'activations');
  return new Tensor({ storage, shape: [...shape], dtype });
}

/** All zeros. */
export function zeros(gpu: Gpu, shape: Shape, options: CreateOptions = {}): Tensor {
  const tensor = empty(gpu, shape, options);
  gpu.clear(tensor.range);
  return tensor;
}

/** Numbers (flat or nested arrays) as a tensor; nested arrays give the shape, flat data takes `shape`. */
export function tensor(gpu: Gpu, values: NestedNumbers, shape?: Shape, options: CreateOptions = {}): Tensor {
  const dtype = options.dtype ?? dtypeOf(values);
  const inferred = shape ?? shapeOf(values);
  const flat = typeof values === 'number' ? [values] : flatten(values);
  check(flat.length === numel(inferred), 'shape', () => {
    return `tensor: ${flat.length} values do not fill shape ${showShape(inferred)}`;
  });
  return fromHost(gpu, encode(flat, dtype), inferred, dtype, options.purpose);
}

/** Uploads elements already in a dtype's host representation. */
export function fromHost(gpu: Gpu, data: HostArray, shape: Shape, dtype: DType, purpose?: Purpose): Tensor {
  const result = empty(gpu, shape, { dtype, purpose });
  result.write(data);
  return result;
}

/** A number, a flat array, or arrays of arrays. */
export type NestedNumbers = number | ArrayLike<number> | readonly NestedNumbers[];

function dtypeOf(values: NestedNumbers): DType {
  if (values instanceof Int32Array) return 'i32';
  if (values instanceof Uint32Array) return 'u32';
  return 'f32';
}

function shapeOf(values: NestedNumbers): Shape {
  if (typeof values === 'number') return [];
  if (!Array.isArray(values)) return [(values as ArrayLike<number>).length];
  return [values.length, ...(values.length > 0 ? shapeOf(values[0] as NestedNumbers) : [])];
}

function flatten(values: NestedNumbers): ArrayLike<number> {
  if (!Array.isArray(values)) return values as ArrayLike<number>;
  const flat: unknown[] = values.flat(Number.POSITIVE_INFINITY as 1);
  return flat as number[];
}
