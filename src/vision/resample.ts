/**
 * Resizing, equal to Pillow's bit for bit: the same fixed-point weights, the horizontal pass first, rounded to
 * bytes between the passes.
 */
import type { RgbImage } from './image.js';

/** Fraction bits of a weight: what is left of 32 after eight bits of sample, and two for overshoot. */
const PRECISION_BITS = 32 - 8 - 2;

/** A kernel, and half its width at scale 1. */
interface Kernel {
  readonly support: number;
  weigh(x: number): number;
}

/** How the pixels around a place are weighed. */
export type Filter = 'bilinear' | 'bicubic';

const KERNELS: Readonly<Record<Filter, Kernel>> = {
  bilinear: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weigh: bicubic },
};

/** Keys' cubic convolution with a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

/** For each output position, the inputs it is made of and their weights. */
interface Taps {
  /** First input. */
  readonly start: Int32Array;
  readonly count: Int32Array;
  /** Fixed-point weights, `stride` places for each output. */
  readonly weights: Int32Array;
  readonly stride: number;
}

function computeTaps(inputs: number, outputs: number, { support: reach, weigh }: Kernel): Taps {
  const scale = inputs / outputs;
  const filterScale = Math.max(scale, 1);
  const support = reach * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const taps: Taps = {
    start: new Int32Array(outputs),
    count: new Int32Array(outputs),
    weights: new Int32Array(outputs * stride),
    stride,
  };
  const inverse = 1 / filterScale;
  const weights = new Float64Array(stride);
  for (let i = 0; i < outputs; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inputs, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let j = 0; j < count; j++) {
      const weight = weigh((j + start - centre + 0.5) * inverse);
      weights[j] = weight;
      sum += weight;
    }
    for (let j = 0; j < count; j++) {
      const weight = sum === 0 ? (weights[j] as number) : (weights[j] as number) / sum;
      const fixed = weight * (1 << PRECISION_BITS);
      taps.weights[i * stride + j] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    taps.start[i] = start;
    taps.count[i] = count;
  }
  return taps;
}

const HALF = 1 << (PRECISION_BITS - 1);

function resizeRows({ width, height, data }: RgbImage, newWidth: number, kernel: Kernel): RgbImage {
  const { start, count, weights, stride } = computeTaps(width, newWidth, kernel);
  // Clamps what the filter's negative lobes push over the edges.
  const out = new Uint8ClampedArray(newWidth * height * 3);
  let o = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    for (let x = 0; x < newWidth; x++) {
      let at = row + (start[x] as number) * 3;
      const end = x * stride + (count[x] as number);
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (let k = x * stride; k < end; k++, at += 3) {
        const weight = weights[k] as number;
        r = (r + (data[at] as number) * weight) | 0;
        g = (g + (data[at + 1] as number) * weight) | 0;
        b = (b + (data[at + 2] as number) * weight) | 0;
      }
      out[o++] = r >> PRECISION_BITS;
      out[o++] = g >> PRECISION_BITS;
      out[o++] = b >> PRECISION_BITS;
    }
  }
  return { width: newWidth, height, data: new Uint8Array(out.buffer) };
}

function resizeColumns({ width, height, data }: RgbImage, newHeight: number, kernel: Kernel): RgbImage {
  const { start, count, weights, stride } = computeTaps(height, newHeight, kernel);
  const row = width * 3;
  const out = new Uint8ClampedArray(row * newHeight);
  // A whole row at a time, as the inputs of neighbouring outputs then lie side by side.
  const sums = new Int32Array(row);
  for (let y = 0; y < newHeight; y++) {
    sums.fill(HALF);
    for (let j = 0; j < (count[y] as number); j++) {
      const weight = weights[y * stride + j] as number;
      const from = ((start[y] as number) + j) * row;
      for (let i = 0; i < row; i++) sums[i] = (sums[i] as number) + (data[from + i] as number) * weight;
    }
    for (let i = 0; i < row; i++) out[y * row + i] = (sums[i] as number) >> PRECISION_BITS;
  }
  return { width, height: newHeight, data: new Uint8Array(out.buffer) };
}

/** Resizes an image; a side that keeps its length is not touched. */
export function resample(image: RgbImage, width: number, height: number, filter: Filter): RgbImage {
  const kernel = KERNELS[filter];
  const wide = image.width === width ? image : resizeRows(image, width, kernel);
  return wide.height === height ? wide : resizeColumns(wide, height, kernel);
}
