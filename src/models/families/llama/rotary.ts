/** Rotary angles of Llama 3.1 and later. */
import { rotaryFrequencies } from '../../../kernels/rotary.js';

/** Frequency scaling of Llama 3.1 and later. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositions: number;
}

/** Angles [T, dim / 2] with scaled frequencies. */
export function scaledRotaryAngles(
  positions: Int32Array,
  dim: number,
  theta: number,
  scaling: Llama3Scaling,
): Float32Array {
  const frequencies = rotaryFrequencies(dim, theta).map((f) => stretched(f, scaling));
  const half = frequencies.length;
  return Float32Array.from(
    { length: positions.length * half },
    (_, i) => positions[Math.floor(i / half)] * frequencies[i % half],
  );
}

/** Llama 3.1 slows low frequencies by a factor, keeps high ones, and blends in between. */
function stretched(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
  if (turns < lowFreqFactor) return frequency / factor;
  if (turns > highFreqFactor) return frequency;
  const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}
