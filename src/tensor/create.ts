/** Making tensors. */
import { check, type Gpu, type Purpose } from '../gpu/index.js';
import { bytesOf, type DType, encode, type HostArray } from './formats.js';
import { checkShape, numel, type Shape, sameShape, showShape } from './shape.js';
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
  const storage = new Storage(gpu, bytesOf(dtype, numel(shape)), options.purpose ?? 'activations');
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
  const flat = flatten(values);
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

/** The shape of nested arrays, whose rows must agree. */
function shapeOf(values: NestedNumbers): Shape {
  if (typeof values === 'number') return [];
  const first = values[0];
  if (typeof first === 'number' || values.length === 0) return [values.length];
  const inner = shapeOf(first);
  for (let i = 1; i < values.length; i++) {
    const other = shapeOf(values[i]);
    check(sameShape(inner, other), 'shape', () => {
      return `tensor: row 0 has shape ${showShape(inner)} and row ${i} has ${showShape(other)}`;
    });
  }
  return [values.length, ...inner];
}

function flatten(values: NestedNumbers): ArrayLike<number> {
  if (typeof values === 'number') return [values];
  if (ArrayBuffer.isView(values) || typeof values[0] === 'number') return values as ArrayLike<number>;
  return Array.from(values as ArrayLike<NestedNumbers>).flatMap((row) => Array.from(flatten(row)));
}
