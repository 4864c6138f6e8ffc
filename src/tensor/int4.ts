/**
 * Integers of 4 bits with a step and a zero per 64 neighbours, into which AWQ's and GPTQ's groups are cut: a number is
 * `step * (code - zero)`. Steps are f16 in files.
 *
 * A block is described in one f32 number, 16 steps, that no magnitude of the block exceeds. An f16 number leaves its 13 lowest
 * bits empty, and there is the zero, 0 to 16.
 */
import { check } from '../gpu/index.js';
import { f16ToF32, f32ToF16 } from './half.js';

/** Neighbours that share a step. */
export const INT4_BLOCK = 64;

/** Bits of a description that are the steps'; what remains is the zero's. */
const STEPS = 0xffffe000;
const ZERO = 31;

/** Numbers in 4 bits. */
export interface Int4 {
  /** Eight codes to a word, the first lowest. */
  readonly codes: Uint32Array<ArrayBuffer>;
  readonly blocks: Uint32Array<ArrayBuffer>;
}

/** The descriptions of blocks with these steps, as f16 patterns, and zeros. */
export function describeBlocks(steps: Uint16Array, zeros: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const bounds = Float32Array.from(f16ToF32(steps), (step) => 16 * step);
  const blocks = new Uint32Array(bounds.buffer);
  for (let i = 0; i < blocks.length; i++) blocks[i] |= zeros[i];
  return blocks;
}

/** Quantises whole blocks between their least and their largest number. */
export function quantizeInt4(values: Float32Array): Int4 {
  check(values.length % INT4_BLOCK === 0, 'shape', () => {
    return `${values.length} numbers are no whole blocks of ${INT4_BLOCK}, as int4 has them`;
  });
  const count = values.length / INT4_BLOCK;
  const blockOf = (i: number) => values.subarray(i * INT4_BLOCK, (i + 1) * INT4_BLOCK);
  const ends = Array.from({ length: count }, (_, i) =>
    blockOf(i).reduce(([least, most], x) => [Math.min(least, x), Math.max(most, x)], [0, 0]),
  );
  const halves = f32ToF16(Float32Array.from(ends, ([least, most]) => (most - least) / 15));
  const steps = Float32Array.from(f16ToF32(halves), (step) => step || 1);
  const zeros = ends.map(([least], i) => Math.min(15, Math.round(-least / steps[i])));
  const codes = new Uint32Array(values.length / 8);
  values.forEach((value, i) => {
    const block = Math.floor(i / INT4_BLOCK);
    const code = Math.min(15, Math.max(0, Math.round(value / steps[block]) + zeros[block]));
    codes[i >> 3] |= code << (4 * (i & 7));
  });
  return { codes, blocks: describeBlocks(halves, zeros) };
}

/** The numbers that codes stand for, exactly. */
export function int4ToF32({ codes, blocks }: Int4): Float32Array<ArrayBuffer> {
  const steps = new Float32Array(Uint32Array.from(blocks, (block) => block & STEPS).buffer);
  return Float32Array.from({ length: codes.length * 8 }, (_, i) => {
    const block = Math.floor(i / INT4_BLOCK);
    const code = (codes[i >> 3] >>> (4 * (i & 7))) & 15;
    return (steps[block] * (code - (blocks[block] & ZERO))) / 16;
  });
}
