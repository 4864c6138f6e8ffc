/**
 * Safetensors element types. All bytes are little-endian, as is every machine that runs Node; typed arrays are therefore
 * views of file bytes as they stand.
 */
import { decode, encode, type FloatDType, formatOf, fromFile, type HostArray } from '../tensor/index.js';

/**
 * Bytes per element of every known dtype. The order is that of the reference implementation, whose writer sorts tensors by
 * it (last first): the widest come first, so each tensor is aligned to its element size without padding.
 */
const ITEM_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** Name of an element type in a safetensors header. */
export type Dtype = keyof typeof ITEM_BYTES;

/** Every known dtype, in the reference implementation's order. */
export const DTYPES = Object.keys(ITEM_BYTES) as readonly Dtype[];

/** Whether a header's dtype string is one we know. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(ITEM_BYTES, name);
}

/** Bytes per element. */
export function dtypeBytes(dtype: Dtype): number {
  return ITEM_BYTES[dtype];
}

/** Elements of a shape, or `undefined` where a running product is no safe integer. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** A typed array that a dtype's bytes can be seen as; 16-bit floats and F8 stay raw bits. */
export type DtypeArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

const ARRAYS: Partial<
  Record<Dtype, new (buffer: ArrayBufferLike, offset: number, length: number) => DtypeArray>
> = {
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  C64: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
};

/**
 * Sees file bytes as the dtype's typed array (C64: interleaved f32). A view where alignment allows, else a copy.
 */
export function viewAs(bytes: Uint8Array, dtype: Dtype): DtypeArray {
  const type = ARRAYS[dtype];
  if (type === undefined) return bytes;
  const item = dtype === 'C64' ? 4 : ITEM_BYTES[dtype];
  if (bytes.byteLength % ITEM_BYTES[dtype] !== 0) {
    throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${dtype} elements`);
  }
  const aligned = bytes.byteOffset % item === 0 ? bytes : bytes.slice();
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / item);
}

/** Dtypes that {@link toF32} and {@link fromF32} convert: those of the device, and F64. */
export type FloatDtype = ReturnType<typeof formatOf<FloatDType>>['file'] | 'F64';

/** Whether a dtype is one of {@link FloatDtype}. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  const device = fromFile(dtype);
  return dtype === 'F64' || (device !== undefined && formatOf(device).kind === 'float');
}

/** The device's format for a float dtype of a file. */
export function floatOf(dtype: FloatDtype): FloatDType {
  return dtype === 'F64' ? 'f32' : (fromFile(dtype) as FloatDType);
}

/** File bytes of a float dtype as f32 values; F32 is a view where alignment allows. */
export function toF32(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const values = viewAs(bytes, dtype);
  if (values instanceof Float64Array) return new Float32Array(values);
  return decode(values as HostArray, floatOf(dtype));
}

/** f32 values as file bytes of a float dtype; F32 is a view. */
export function fromF32(values: Float32Array, dtype: FloatDtype): Uint8Array {
  return asBytes(dtype === 'F64' ? new Float64Array(values) : encode(values, floatOf(dtype)));
}

/** The bytes under any typed array, without a copy. */
export function asBytes(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
