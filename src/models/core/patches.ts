/** Images as towers take them. */
import { modelError } from './errors.js';
import { type Grid, patchValues, type VisionConfig } from './grid.js';

/** Patches of some images, one after another, and the grid of each image. */
export interface ImagePatches {
  readonly pixels: Float32Array;
  readonly grids: readonly Grid[];
}

/** The images of several prompts as one; null where there are none. */
export function joinPatches(parts: readonly ImagePatches[]): ImagePatches | null {
  if (parts.length <= 1) return parts[0] ?? null;
  const pixels = new Float32Array(parts.reduce((sum, part) => sum + part.pixels.length, 0));
  let at = 0;
  for (const part of parts) {
    pixels.set(part.pixels, at);
    at += part.pixels.length;
  }
  return { pixels, grids: parts.flatMap(({ grids }) => grids) };
}

/** Patches of prepared pictures [n, channels, height, width], in the order of the image processor; each fills all frames of a patch. */
export function cutPictures(
  values: Float32Array,
  [count, channels, height, width]: readonly number[],
  vision: VisionConfig,
): ImagePatches {
  const { patchSize: p, mergeSize: m, temporalPatchSize } = vision;
  if (channels !== vision.channels || height % (p * m) !== 0 || width % (p * m) !== 0) {
    const expected = `${vision.channels} channels and sides that are multiples of ${p * m}`;
    throw modelError('the pictures', `are [${channels}, ${height}, ${width}]; this model takes ${expected}`);
  }
  const grid: Grid = [1, height / p, width / p];
  const [, rows, columns] = grid;
  const pixels = new Float32Array(count * rows * columns * patchValues(vision));
  let to = 0;
  for (let n = 0; n < count; n++) {
    for (let patch = 0; patch < rows * columns; patch++) {
      const cell = Math.floor(patch / m ** 2);
      const inner = patch % m ** 2;
      const top = (Math.floor(cell / (columns / m)) * m + Math.floor(inner / m)) * p;
      const left = ((cell % (columns / m)) * m + (inner % m)) * p;
      for (let c = 0; c < channels; c++) {
        for (let frame = 0; frame < temporalPatchSize; frame++) {
          for (let y = top; y < top + p; y++, to += p) {
            const from = ((n * channels + c) * height + y) * width + left;
            pixels.set(values.subarray(from, from + p), to);
          }
        }
      }
    }
  }
  return { pixels, grids: Array.from({ length: count }, () => grid) };
}
