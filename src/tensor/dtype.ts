/** Element types and their host-side conversions. bf16 and f16 are stored two to a u32, low half first. */

/** Element types of tensors. Arithmetic is always f32; f16 and bf16 are storage formats. */
export type DType = 'f32' | 'f16' | 'bf16' | 'i32' | 'u32';

/** Host arrays that carry tensor elements; f16 and bf16 travel as raw 16-bit patterns. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

/** Bytes per element. */
export function elementBytes(dtype: DType): 2 | 4 {
  return dtype === 'f16' || dtype === 'bf16' ? 2 : 4;
}

const scratchF32 = new Float32Array(1);
const scratchU32 = new Uint32Array(scratchF32.buffer);

/** Rounds an f32 to bf16 bits, to nearest even; NaN stays NaN. */
export function toBf16(value: number): number {
  scratchF32[0] = value;
  const bits = scratchU32[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Widens bf16 bits. */
export function fromBf16(bits: number): number {
  scratchU32[0] = bits << 16;
  return scratchF32[0];
}

/** Rounds an f32 to f16 bits, to nearest even; overflow becomes infinity, NaN stays NaN. */
export function toF16(value: number): number {
  scratchF32[0] = value;
  const bits = scratchU32[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 aligns the mantissa so that the hardware's own rounding does the work.
    scratchF32[0] = Math.abs(value) + 0.5;
    return sign | (scratchU32[0] - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** Widens f16 bits. */
export function fromF16(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Converts numbers to the host representation of a dtype. */
export function encode(values: ArrayLike<number>, dtype: DType): HostArray {
  if (dtype === 'f32') return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === 'i32') return values instanceof Int32Array ? values : Int32Array.from(values);
  if (dtype === 'u32') return values instanceof Uint32Array ? values : Uint32Array.from(values);
  const round = dtype === 'bf16' ? toBf16 : toF16;
  const out = new Uint16Array(values.length);
  const f = values instanceof Float32Array ? values : Float32Array.from(values);
  for (let i = 0; i < out.length; i++) out[i] = round(f[i]);
  return out;
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
  if (dtype === 'bf16') return Float32Array.from(host, fromBf16);
  if (dtype === 'f16') return Float32Array.from(host, fromF16);
  return Float32Array.from(host);
}
