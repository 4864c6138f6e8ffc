/** Mapping samples of more than eight bits, as scanners make them, to the 256 levels that models take. */
import type { Samples } from './image.js';

/**
 * How samples become levels.
 * - `auto`: for DICOM the file's own window, or the range if it has none; for other pictures of more than eight bits the
 *   range if grey, the top byte of 16 if coloured. Pictures of eight bits stay as they are.
 * - `range`: the smallest sample becomes 0, the largest 255.
 * - `full`: all values that 16 bits can hold: the top byte.
 * - low and high: these become 0 and 255, what lies outside is clipped.
 * - centre and width: DICOM's LINEAR window, in the units of the samples (Hounsfield units for CT).
 */
export type Window =
  | 'auto'
  | 'range'
  | 'full'
  | { readonly low: number; readonly high: number }
  | { readonly center: number; readonly width: number };

/** The function from a sample to 0..255, not yet rounded. */
export type Transfer = (value: number) => number;

/** Low becomes 0 and high 255; with no room between them everything is 0 up to there and 255 above. */
export function linearTransfer(low: number, high: number): Transfer {
  const range = high - low;
  if (!(range > 0)) return (value) => (value > low ? 255 : 0);
  return (value) => (value <= low ? 0 : value >= high ? 255 : ((value - low) / range) * 255);
}

/** DICOM's LINEAR function (PS3.3 C.11.2.1.2.1): from half a value above the lower edge to half below the upper. */
export function dicomLinear(center: number, width: number): Transfer {
  return linearTransfer(center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2);
}

/** DICOM's SIGMOID function (PS3.3 C.11.2.1.3.1). */
export function dicomSigmoid(center: number, width: number): Transfer {
  return (value) => 255 / (1 + Math.exp((-4 * (value - center)) / width));
}

/** The smallest and largest finite sample; 0 and 0 if there is none. */
export function sampleRange(data: ArrayLike<number>): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? { low: 0, high: 0 } : { low, high };
}

/** Rounds to the nearest level; halves go up and what is no number becomes 0. */
export function toLevel(value: number): number {
  return value >= 255 ? 255 : value > 0 ? Math.floor(value + 0.5) : 0;
}

/** Applies a transfer to all samples; small integers through a table. */
export function applyTransfer(data: Samples['data'], transfer: Transfer): Uint8Array {
  const levels = new Uint8Array(data.length);
  if (data instanceof Float32Array || data instanceof Float64Array) {
    for (let i = 0; i < data.length; i++) levels[i] = toLevel(transfer(data[i] as number));
    return levels;
  }
  const offset = data instanceof Int16Array ? 32768 : 0;
  const table = new Uint8Array(data instanceof Uint8Array ? 256 : 65536);
  for (let i = 0; i < table.length; i++) table[i] = toLevel(transfer(i - offset));
  for (let i = 0; i < data.length; i++) levels[i] = table[(data[i] as number) + offset] as number;
  return levels;
}

/** Whether settings that came from outside are a window; if not, the problem as a sentence's predicate. */
export function windowProblem(window: unknown): string | undefined {
  if (window === 'auto' || window === 'range' || window === 'full') return undefined;
  if (window !== null && typeof window === 'object') {
    const { low, high, center, width } = window as Record<string, unknown>;
    if (Number.isFinite(low) && Number.isFinite(high)) {
      return (low as number) < (high as number)
        ? undefined
        : `has low ${low}, which is not below high ${high}`;
    }
    if (Number.isFinite(center) && Number.isFinite(width)) {
      return (width as number) >= 1 ? undefined : `has the width ${width}; a window is at least 1 wide`;
    }
  }
  return 'is neither auto, range, full, {low, high} nor {center, width}';
}
