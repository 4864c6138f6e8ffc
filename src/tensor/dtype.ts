/** Element types and their host representation. bf16 and f16 are stored two to a u32, low half first. */
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.js';

/** Element types of tensors. Arithmetic is always f32; f16 and bf16 are storage formats. */
export type DType = 'f32' | 'f16' | 'bf16' | 'i32' | 'u32';

/** Host arrays that carry tensor elements; f16 and bf16 travel as raw 16-bit patterns. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

/** Bytes per element. */
export function elementBytes(dtype: DType): 2 | 4 {
  return dtype === 'f16' || dtype === 'bf16' ? 2 : 4;
}

/** Converts numbers to the host representation of a dtype. */
export function encode(values: ArrayLike<number>, dtype: DType): HostArray {
  if (dtype === 'f32') return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === 'i32') return values instanceof Int32Array ? values : Int32Array.from(values);
  if (dtype === 'u32') return values instanceof Uint32Array ? values : Uint32Array.from(values);
  const wide = values instanceof Float32Array ? values : Float32Array.from(values);
  return dtype === 'bf16' ? f32ToBf16(wide) : f32ToF16(wide);
}

/** Views bytes as the host representation of a dtype. */
export function hostView(bytes: ArrayBuffer, dtype: DType): HostArray {
  if (dtype === 'f32') return new Float32Array(bytes);
  if (dtype === 'i32') return new Int32Array(bytes);
  if (dtype === 'u32') return new Uint32Array(bytes);
  return new Uint16Array(bytes);
}

/** Converts the host representation of a dtype to f32 numbers. */
export function decode(host: HostArray, dtype: DType): Float32Array {
  if (host instanceof Float32Array) return host;
  if (host instanceof Uint16Array) return dtype === 'bf16' ? bf16ToF32(host) : f16ToF32(host);
  return Float32Array.from(host);
}
