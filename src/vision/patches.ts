/** From a decoded image to the tower's input: resized, normalised, cut into patches. */
import { DEFAULT_IMAGE_CONFIG, type ImageConfig } from './config.js';
import { ImageError } from './errors.js';
import type { RgbImage } from './image.js';
import { cropped, cropsOf } from './pan-and-scan.js';
import { resample } from './resample.js';
import { targetSize } from './smart-resize.js';

/** Patches along time, height and width. */
export type Grid = readonly [t: number, h: number, w: number];

/** Images as the vision tower takes them. */
export interface ImagePatches {
  /** One row per patch, all images' one after another; within a row channel, frame, y, x. */
  readonly pixelValues: Float32Array;
  /** Length of a row: 1176 for the published models. */
  readonly patchLength: number;
  /** One grid per image, or per view of one. */
  readonly grids: readonly Grid[];
}

/** Tokens that an image takes in the prompt: its merged patches. */
export function imageTokenCount([t, h, w]: Grid, mergeSize: number = DEFAULT_IMAGE_CONFIG.mergeSize): number {
  return (t * h * w) / (mergeSize * mergeSize);
}

/** The grid an image of some size will have, without decoding it. */
export function imageGrid(
  size: { readonly height: number; readonly width: number },
  config: ImageConfig = DEFAULT_IMAGE_CONFIG,
  file?: string,
): Grid {
  const { height, width } = targetSize(size, config, file);
  return [1, height / config.patchSize, width / config.patchSize];
}

/** The grids of all views of an image: one, and those of its crops where it has some. */
export function imageGrids(
  size: { readonly height: number; readonly width: number },
  config: ImageConfig,
  file?: string,
): readonly Grid[] {
  const grid = imageGrid(size, config, file);
  const crops = config.panAndScan ? cropsOf(size, config.panAndScan).length : 0;
  return Array.from({ length: 1 + crops }, () => grid);
}

/**
 * What each of the 256 levels of each channel becomes. Rescaled in float64 and rounded, then normalised with a rounding
 * after each operation: the arithmetic of transformers' PIL backend.
 */
export function normalisationTable(config: ImageConfig): Float32Array {
  const table = new Float32Array(3 * 256);
  for (let c = 0; c < 3; c++) {
    const mean = Math.fround(config.mean[c] as number);
    const std = Math.fround(config.std[c] as number);
    for (let level = 0; level < 256; level++) {
      const value = Math.fround(level * config.rescaleFactor);
      table[c * 256 + level] = Math.fround(value - mean) / std;
    }
  }
  return table;
}

/**
 * Prepares images for the tower: `pixel_values` and `image_grid_thw` of transformers' PIL backend, bit for bit.
 *
 * @param names what error messages call the images.
 */
export function imagesToPatches(
  images: readonly RgbImage[],
  config: ImageConfig = DEFAULT_IMAGE_CONFIG,
  names: readonly string[] = [],
): ImagePatches {
  return cutPatches(
    images.flatMap((image, i) => resizeForPatches(image, config, names[i] ?? `image ${i + 1}`)),
    config,
  );
}

/** An image, and its crops if it has some, of the size at which they are cut into patches. */
export function resizeForPatches(image: RgbImage, config: ImageConfig, name: string): RgbImage[] {
  const { width, height } = targetSize(image, config, name);
  checkImage(image, name);
  const crops = config.panAndScan ? cropsOf(image, config.panAndScan) : [];
  const views = [image, ...crops.map((crop) => cropped(image, crop))];
  return views.map((view) => resample(view, width, height, config.filter));
}

/** Cuts what {@link resizeForPatches} gave. */
export function cutPatches(resized: readonly RgbImage[], config: ImageConfig): ImagePatches {
  const { patchSize, temporalPatchSize } = config;
  const patchLength = 3 * temporalPatchSize * patchSize * patchSize;
  const grids = resized.map(({ width, height }): Grid => [1, height / patchSize, width / patchSize]);
  const total = grids.reduce((n, [t, h, w]) => n + t * h * w, 0);
  const pixelValues = new Float32Array(total * patchLength);
  const table = normalisationTable(config);
  let offset = 0;
  resized.forEach((image, i) => {
    const [, h, w] = grids[i] as Grid;
    writePatches(image, config, table, pixelValues.subarray(offset));
    offset += h * w * patchLength;
  });
  return { pixelValues, patchLength, grids };
}

function checkImage({ width, height, data }: RgbImage, name: string): void {
  if (data.length !== width * height * 3) {
    throw new ImageError(
      name,
      `has ${data.length} bytes for ${width}x${height} pixels; it needs three a pixel`,
    );
  }
}

/**
 * Cuts an image into patches. Rows are ordered by merged patch, and within one by its patches, so that the tower merges
 * neighbours in memory. A still image fills all frames of a patch.
 */
function writePatches(image: RgbImage, config: ImageConfig, table: Float32Array, out: Float32Array): void {
  const { patchSize: p, temporalPatchSize, mergeSize: m } = config;
  const { width, data } = image;
  const gridWidth = width / p;
  const patches = (image.height / p) * gridWidth;
  const blocksAcross = gridWidth / m;
  const plane = p * p;
  let o = 0;
  for (let patch = 0; patch < patches; patch++) {
    const block = Math.floor(patch / (m * m));
    const inner = patch % (m * m);
    const top = (Math.floor(block / blocksAcross) * m + Math.floor(inner / m)) * p;
    const left = ((block % blocksAcross) * m + (inner % m)) * p;
    for (let c = 0; c < 3; c++) {
      const levels = c * 256;
      const first = o;
      for (let y = 0; y < p; y++) {
        let from = ((top + y) * width + left) * 3 + c;
        for (let x = 0; x < p; x++, from += 3) out[o++] = table[levels + (data[from] as number)] as number;
      }
      for (let t = 1; t < temporalPatchSize; t++, o += plane) out.copyWithin(o, first, first + plane);
    }
  }
}
