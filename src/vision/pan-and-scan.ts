/** Crops of long pictures, shown beside the whole to models that take pictures of one size. */
import type { RgbImage, Size } from './image.js';

/** When a picture is cropped, and into how many. */
export interface PanAndScan {
  /** Pixels that each side of a crop must have. */
  readonly minCrop: number;
  readonly mostCrops: number;
  /** Longer side over shorter side from which on there are crops. */
  readonly leastRatio: number;
}

/** A part of a picture. */
export interface Crop extends Size {
  readonly left: number;
  readonly top: number;
}

/** The crops of a picture along its longer side, none where it is too small or too square: those of transformers. */
export function cropsOf({ height, width }: Size, settings: PanAndScan): readonly Crop[] {
  const { minCrop, mostCrops, leastRatio } = settings;
  const wide = width >= height;
  const [long, short] = wide ? [width, height] : [height, width];
  if (long / short < leastRatio) return [];
  const wanted = Math.min(Math.floor(long / minCrop), Math.floor(long / short + 0.5));
  const count = Math.min(mostCrops, Math.max(2, wanted));
  const step = Math.ceil(long / count);
  if (Math.min(step, short) < minCrop) return [];
  return Array.from({ length: count }, (_, i) => {
    const from = i * step;
    const own = Math.min(step, long - from);
    return wide ? { left: from, top: 0, width: own, height } : { left: 0, top: from, width, height: own };
  });
}

/** The pixels of a crop. */
export function cropped({ width: across, data }: RgbImage, { left, top, width, height }: Crop): RgbImage {
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * across + left);
    out.set(data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data: out };
}
