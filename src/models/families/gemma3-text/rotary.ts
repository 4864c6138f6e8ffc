/** Rotary angles that are slowed evenly. */
import { rotaryFrequencies } from '../../../kernels/rotary.js';

/** How positions turn: the base of the frequencies, and by what all of them are divided. */
export interface Rope {
  readonly theta: number;
  readonly factor: number;
}

/** Angles [T, dim / 2]. */
export function stretchedAngles(positions: Int32Array, dim: number, { theta, factor }: Rope): Float32Array {
  const frequencies = rotaryFrequencies(dim, theta).map((frequency) => frequency / factor);
  const half = frequencies.length;
  return Float32Array.from(
    { length: positions.length * half },
    (_, i) => positions[Math.floor(i / half)] * frequencies[i % half],
  );
}
