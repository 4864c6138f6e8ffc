/** Rotary angles of Qwen3-VL: neighbouring frequencies turn with different axes. */
import { rotaryFrequencies } from '../../../kernels/rotary.js';
import type { Axes } from '../../core/positions.js';

/**
 * Angles [T, dim / 2]. Of three neighbouring frequencies the second turns with the height and the third with the width, as
 * far as the sections of these two reach; all others turn with the time.
 */
export function interleavedRotaryAngles(
  positions: Axes,
  dim: number,
  theta: number,
  section: readonly number[],
): Float32Array {
  const frequencies = rotaryFrequencies(dim, theta);
  const half = frequencies.length;
  const axes = Array.from(frequencies, (_, i) => (i < 3 * section[i % 3] ? i % 3 : 0));
  return Float32Array.from(
    { length: positions[0].length * half },
    (_, i) => positions[axes[i % half]][Math.floor(i / half)] * frequencies[i % half],
  );
}
