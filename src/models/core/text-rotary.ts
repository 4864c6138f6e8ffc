/** Rotary angles of the decoder, by its config. */
import { rotaryAngles, rotaryFrequencies, sectionedRotaryAngles } from '../../kernels/rotary.js';
import type { Llama3Scaling, TextConfig } from './config.js';

/** Angles [T, headDim / 2] for positions in time, height and width. */
export function textRotaryAngles(
  config: TextConfig,
  [time, height, width]: readonly [Int32Array, Int32Array, Int32Array],
): Float32Array {
  const { headDim, ropeTheta, mropeSection, llama3 } = config;
  if (mropeSection) {
    const rows = new Int32Array(3 * time.length);
    [time, height, width].forEach((axis, i) => {
      rows.set(axis, i * time.length);
    });
    return sectionedRotaryAngles(rows, mropeSection, ropeTheta);
  }
  if (!llama3) return rotaryAngles(time, headDim, ropeTheta);
  const frequencies = rotaryFrequencies(headDim, ropeTheta).map((f) => stretched(f, llama3));
  const half = frequencies.length;
  return Float32Array.from(
    { length: time.length * half },
    (_, i) => time[Math.floor(i / half)] * frequencies[i % half],
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
