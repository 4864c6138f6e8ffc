/** Element types and their host representation. bf16 and f16 are stored two to a u32, low half first. */
import { check } from '../gpu/index.js';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.js';

/** All element types. */
export const DTYPES = ['f32', 'f16', 'bf16', 'i32', 'u32'] as const;

/** Element types of tensors. Arithmetic is always f32; f16 and bf16 are storage formats. */
export type DType = (typeof DTYPES)[number];

/** Host arrays that carry tensor elements; f16 and bf16 travel as raw 16-bit patterns. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

/** Bytes per element. */
export function elementBytes(dtype: DType): 2 | 4 {
  check(
    DTYPES.includes(dtype),
    'dtype',
    () => `dtype "${dtype}" is unknown; use one of ${DTYPES.join(', ')}`,
  );
  return dtype === 'f16' || dtype === 'bf16' ? 2 : 4;
}

/** Converts numbers to the host representation of a dtype. */
export function encode(values: ArrayLike<number>, dtype: DType): HostArray {
  if (dtype === 'f32') return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === 'i32')
    return values instanceof Int32Array ? values : Int32Array.from(integers(values, dtype));
  if (dtype === 'u32')
    return values instanceof Uint32Array ? values : Uint32Array.from(integers(values, dtype));
  const wide = values instanceof Float32Array ? values : Float32Array.from(values);
  return dtype === 'bf16' ? f32ToBf16(wide) : f32ToF16(wide);
}

function integers(values: ArrayLike<number>, dtype: 'i32' | 'u32'): ArrayLike<number> {
  const [least, most] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  for (let i = 0; i < values.length; i++) {
    check(Number.isInteger(values[i]) && values[i] >= least && values[i] <= most, 'value', () => {
      return `value ${values[i]} at index ${i} is not a ${dtype}`;
    });
  }
  return values;
}

/** The typed array that carries a dtype's elements. */
export function hostType(dtype: DType): new (bytes: ArrayBuffer) => HostArray {
  if (dtype === 'f32') return Float32Array;
  if (dtype === 'i32') return Int32Array;
  return dtype === 'u32' ? Uint32Array : Uint16Array;
}

/** Views bytes as the host representation of a dtype. */
export function hostView(bytes: ArrayBuffer, dtype: DType): HostArray {
  return new (hostType(dtype))(bytes);
}

/** Converts the host representation of a dtype to f32 numbers. */
export function decode(host: HostArray, dtype: DType): Float32Array {
  if (host instanceof Float32Array) return host;
  if (host instanceof Uint16Array) return dtype === 'bf16' ? bf16ToF32(host) : f16ToF32(host);
  return Float32Array.from(host);
}
