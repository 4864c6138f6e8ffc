/**
 * Double quantisation, as bitsandbytes does it: the magnitudes of the blocks of NF4, less their mean, in 8 bits of a dynamic
 * table times the largest of each 256.
 */
import { dynamicTable, midpoints } from './dynamic-table.js';

/** Magnitudes that share a scale. */
export const SCALE_BLOCK = 256;

const LEAST = Math.fround(1e-38);

/** Magnitudes in 8 bits. */
export interface CompressedScales {
  readonly codes: Uint8Array;
  /** Of each so many codes; {@link SCALE_BLOCK} where we make them. */
  readonly block: number;
  readonly absmax: Float32Array;
  readonly table: Float32Array;
  readonly offset: number;
}

/** Compresses magnitudes. */
export function compressScales(scales: Float32Array): CompressedScales & {
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly absmax: Float32Array<ArrayBuffer>;
  readonly table: Float32Array<ArrayBuffer>;
} {
  const { fround } = Math;
  const table = dynamicTable(true);
  const bounds = midpoints(table);
  const offset = fround(scales.reduce((sum, scale) => sum + scale, 0) / scales.length);
  const codes = new Uint8Array(scales.length);
  const absmax = new Float32Array(Math.ceil(scales.length / SCALE_BLOCK));
  for (let block = 0; block < absmax.length; block++) {
    const first = block * SCALE_BLOCK;
    const rest = Float32Array.from(scales.subarray(first, first + SCALE_BLOCK), (scale) => scale - offset);
    absmax[block] = rest.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const up = fround(1 / Math.max(absmax[block], LEAST));
    rest.forEach((value, i) => {
      codes[first + i] = boundsBelow(bounds, fround(value * up));
    });
  }
  return { codes, block: SCALE_BLOCK, absmax, table, offset };
}

function boundsBelow(bounds: Float32Array, value: number): number {
  let code = 0;
  for (let step = 128; step > 0; step >>= 1) {
    if (value > bounds[code + step - 1]) code += step;
  }
  return code;
}

/** The magnitudes that compressed ones stand for. */
export function expandScales({
  codes,
  block,
  absmax,
  table,
  offset,
}: CompressedScales): Float32Array<ArrayBuffer> {
  const { fround } = Math;
  return Float32Array.from(codes, (code, i) => fround(table[code] * absmax[Math.floor(i / block)]) + offset);
}
