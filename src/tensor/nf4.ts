/**
 * NF4, the 4-bit format of bitsandbytes: each 64 neighbours, in row-major order, are codes of sixteen levels (the quantiles of
 * a normal distribution) times the largest magnitude among them. Packed bit for bit as its quantize_4bit does.
 */
import { check } from '../gpu/index.js';

/** Neighbours that share their largest magnitude. */
export const NF4_BLOCK = 64;

/** The sixteen levels, ascending. */
export const NF4_LEVELS: Readonly<Float32Array> = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
);

/** Halfway between neighbours; what is above one has the next code. */
const BOUNDS = Float32Array.from({ length: 15 }, (_, i) => (NF4_LEVELS[i] + NF4_LEVELS[i + 1]) / 2);

/** The least magnitude that a block is divided by, so that a block of zeros stays one. */
const LEAST = Math.fround(1e-38);

/** Weights in NF4. */
export interface Nf4 {
  /** Two codes to a byte, the first in its upper half. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** The largest magnitude of each block. */
  readonly absmax: Float32Array<ArrayBuffer>;
}

/** Quantises whole blocks. */
export function quantizeNf4(values: Float32Array): Nf4 {
  check(values.length % NF4_BLOCK === 0, 'shape', () => {
    return `${values.length} numbers are no whole blocks of ${NF4_BLOCK}, as NF4 has them`;
  });
  const codes = new Uint8Array(values.length / 2);
  const absmax = new Float32Array(values.length / NF4_BLOCK);
  for (let block = 0; block < absmax.length; block++) {
    const first = block * NF4_BLOCK;
    let largest = 0;
    for (let i = first; i < first + NF4_BLOCK; i++) {
      const size = Math.abs(values[i]);
      if (size > largest || Number.isNaN(size)) largest = size;
    }
    absmax[block] = largest;
    const up = Math.fround(1 / Math.max(largest, LEAST));
    for (let i = first; i < first + NF4_BLOCK; i += 2) {
      codes[i >> 1] = (codeOf(Math.fround(values[i] * up)) << 4) | codeOf(Math.fround(values[i + 1] * up));
    }
  }
  return { codes, absmax };
}

/** How many bounds are below a number. */
function codeOf(value: number): number {
  let code = 0;
  for (let step = 8; step > 0; step >>= 1) {
    if (value > BOUNDS[code + step - 1]) code += step;
  }
  return code;
}

/** The numbers that codes stand for: level times magnitude, in single precision. */
export function nf4ToF32(codes: Uint8Array, absmax: Float32Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(codes.length * 2);
  for (let i = 0; i < codes.length; i++) {
    const scale = absmax[Math.floor((2 * i) / NF4_BLOCK)];
    values[2 * i] = NF4_LEVELS[codes[i] >> 4] * scale;
    values[2 * i + 1] = NF4_LEVELS[codes[i] & 15] * scale;
  }
  return values;
}
