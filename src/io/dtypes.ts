/**
 * Safetensors element types, and the conversions between the float types that checkpoints use and f32.
 *
 * Conversions work on bit patterns, never on JavaScript numbers, so that NaN payloads and signed zeros survive. All bytes
 * are little-endian, as is every machine that runs Node; typed arrays are therefore views of file bytes as they stand.
 */

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

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function fits(source: { length: number }, out: { length: number }): void {
  if (out.length !== source.length) {
    throw new RangeError(`the output has ${out.length} elements, the input ${source.length}`);
  }
}

/** bf16 bits to f32; exact. */
export function bf16ToF32(
  source: Uint16Array,
  out: Float32Array = new Float32Array(source.length),
): Float32Array {
  fits(source, out);
  const bits = bitsOf(out);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
  return out;
}

/** f32 to bf16 bits, to nearest, ties to even; NaN stays NaN (quiet, with its sign and upper payload), Inf stays Inf. */
export function f32ToBf16(
  source: Float32Array,
  out: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  fits(source, out);
  const bits = bitsOf(source);
  for (let i = 0; i < bits.length; i++) {
    const u = bits[i];
    // A NaN whose payload is only in the lower half would round to Inf, hence the quiet bit.
    const nan = (u & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? (u >>> 16) | 0x40 : (u + 0x7fff + ((u >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** f16 bits to f32; exact. */
export function f16ToF32(
  source: Uint16Array,
  out: Float32Array = new Float32Array(source.length),
): Float32Array {
  fits(source, out);
  const bits = bitsOf(out);
  f16Table ??= Uint32Array.from({ length: 65536 }, (_, half) => f16Bits(half));
  for (let i = 0; i < source.length; i++) bits[i] = f16Table[source[i]];
  return out;
}

/** All 65536 answers: a quarter of a megabyte that turns the branches below into one load. Made on first use. */
let f16Table: Uint32Array | undefined;

function f16Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal: shift the leading one into the implicit place.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

/** f32 to f16 bits, to nearest, ties to even, through subnormals; over 65519.99 is Inf, NaN stays NaN. */
export function f32ToF16(
  source: Float32Array,
  out: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  fits(source, out);
  const bits = bitsOf(source);
  for (let i = 0; i < bits.length; i++) out[i] = f16FromBits(bits[i]);
  return out;
}

function f16FromBits(u: number): number {
  const sign = (u >>> 16) & 0x8000;
  const magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 is half way from the largest f16 to the next power of two; the tie goes to the even side, Inf.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - (112 << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Under half of the smallest subnormal, 2^-25.
  if (magnitude < 0x33000000) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept);
}

/** Dtypes that {@link toF32} and {@link fromF32} convert. */
export type FloatDtype = 'BF16' | 'F16' | 'F32' | 'F64';

/** Whether a dtype is one of {@link FloatDtype}. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'BF16' || dtype === 'F16' || dtype === 'F32' || dtype === 'F64';
}

/** File bytes of a float dtype as f32 values; F32 is a view where alignment allows. */
export function toF32(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const values = viewAs(bytes, dtype);
  if (dtype === 'BF16') return bf16ToF32(values as Uint16Array);
  if (dtype === 'F16') return f16ToF32(values as Uint16Array);
  return dtype === 'F32' ? (values as Float32Array) : new Float32Array(values as Float64Array);
}

/** f32 values as file bytes of a float dtype; F32 is a view. */
export function fromF32(values: Float32Array, dtype: FloatDtype): Uint8Array {
  if (dtype === 'BF16') return asBytes(f32ToBf16(values));
  if (dtype === 'F16') return asBytes(f32ToF16(values));
  return asBytes(dtype === 'F32' ? values : new Float64Array(values));
}

/** The bytes under any typed array, without a copy. */
export function asBytes(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
