/** From a file's bytes to a picture, whatever kind of image it is. */
import { decodeDicom, type FrameChoice } from './dicom/index.js';
import { ImageError } from './errors.js';
import type { RgbImage } from './image.js';
import { decodeRaster } from './raster.js';
import { foreignProblem, imageFormat } from './sniff.js';
import { type Window, windowProblem } from './window.js';

/** Settings of {@link decodeImage}; each has a default. */
export interface DecodeOptions {
  /** What error messages call the image: its path. */
  readonly name?: string;
  /** How samples of more than eight bits become levels; `auto` by default. */
  readonly window?: Window;
  /** Transparent images: `drop` (default) ignores alpha, as transformers does; `white` puts them on white. */
  readonly alpha?: 'drop' | 'white';
  /** Images with more pixels are refused before they are decoded. */
  readonly maxPixels?: number;
  /** Which frame of a DICOM file with several; the middle one by default. Other formats give their first. */
  readonly frame?: 'middle' | number;
}

/** Pillow's limit, past which it takes an image for a decompression bomb. */
export const DEFAULT_MAX_PIXELS = 178_956_970;

/**
 * Decodes PNG, JPEG, WebP, TIFF, GIF or DICOM, told apart by content, to upright RGB.
 *
 * @throws ImageError naming the image, if it is damaged, hostile or of a kind that cannot be read.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const images = await decodeFrames(bytes, { ...options, frames: options.frame ?? 'middle' });
  return images[0] as RgbImage;
}

/** Like {@link decodeImage}, for several frames of a DICOM file: all by default. */
export async function decodeFrames(
  bytes: Uint8Array,
  options: Omit<DecodeOptions, 'frame'> & { readonly frames?: FrameChoice } = {},
): Promise<RgbImage[]> {
  const name = options.name ?? 'the image';
  const { window = 'auto', alpha = 'drop', maxPixels = DEFAULT_MAX_PIXELS } = options;
  const problem = windowProblem(window);
  if (problem !== undefined) throw new ImageError('the window', problem);
  const format = imageFormat(bytes);
  if (format === undefined) throw new ImageError(name, foreignProblem(bytes));
  if (format === 'dicom') {
    return decodeDicom(bytes, { name, window, maxPixels, frames: options.frames ?? 'all' });
  }
  return [await decodeRaster(bytes, format, { name, window, maxPixels, alpha })];
}
