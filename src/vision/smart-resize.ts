/** The size an image is resized to before it is cut into patches. */
import { DEFAULT_IMAGE_CONFIG, type ImageConfig } from './config.js';
import { ImageError } from './errors.js';
import type { Size } from './image.js';

/** Longest side over shortest side. */
const MAX_ASPECT = 200;

/** The size an image gets before it is cut into patches. */
export function targetSize(size: Size, config: ImageConfig, file?: string): Size {
  return config.exactSize ?? smartResize(size, config, file);
}

/** Rounds to the nearest whole number and halves to the even one, as Python does. `Math.round` differs: 2.5 gives 3. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/**
 * Both sides multiples of a merged patch, the area within the limits, the aspect ratio nearly kept. The order of the
 * floating-point operations is that of transformers: it decides at the boundaries.
 *
 * @param file what error messages call the image.
 */
export function smartResize(
  { height, width }: Size,
  config: Pick<ImageConfig, 'minPixels' | 'maxPixels' | 'patchSize' | 'mergeSize'> = DEFAULT_IMAGE_CONFIG,
  file = 'the image',
): Size {
  if (!Number.isSafeInteger(height) || !Number.isSafeInteger(width) || height < 1 || width < 1) {
    throw new ImageError(file, `has the size ${width}x${height}; an image needs at least one pixel`);
  }
  if (Math.max(height, width) / Math.min(height, width) > MAX_ASPECT) {
    throw new ImageError(
      file,
      `has the size ${width}x${height}, over ${MAX_ASPECT} times as long as it is wide; crop it`,
    );
  }
  const factor = config.patchSize * config.mergeSize;
  let h = roundHalfEven(height / factor) * factor;
  let w = roundHalfEven(width / factor) * factor;
  if (h * w > config.maxPixels) {
    const beta = Math.sqrt((height * width) / config.maxPixels);
    h = Math.max(factor, Math.floor(height / beta / factor) * factor);
    w = Math.max(factor, Math.floor(width / beta / factor) * factor);
  } else if (h * w < config.minPixels) {
    const beta = Math.sqrt(config.minPixels / (height * width));
    h = Math.ceil((height * beta) / factor) * factor;
    w = Math.ceil((width * beta) / factor) * factor;
  }
  return { height: h, width: w };
}
