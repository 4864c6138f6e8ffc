/**
 * Conversions between f32 and the 16-bit floats of checkpoints and GPU storage. They work on bit patterns, never on
 * JavaScript numbers, so that NaN payloads and signed zeros survive.
 */

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
