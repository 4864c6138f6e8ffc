/** From pictures to files, for reports and for endpoints; by sharp, loaded when first used. */
import type { RgbImage } from './image.js';

/** How {@link encodeImage} writes. */
export type EncodeOptions =
  | { readonly format: 'png'; readonly side?: number }
  /** `quality` is from 1 to 100. */
  | { readonly format: 'webp'; readonly quality: number; readonly side?: number };

/** A picture as a file; shrunk, where it is larger, to fit a square of `side` pixels. */
export async function encodeImage(image: RgbImage, options: EncodeOptions): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  const { width, height, data } = image;
  const { side } = options;
  let pipeline = sharp(data, { raw: { width, height, channels: 3 } });
  if (side !== undefined) {
    pipeline = pipeline.resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true });
  }
  const file =
    options.format === 'png' ? pipeline.png() : pipeline.webp({ quality: options.quality, effort: 3 });
  return await file.toBuffer();
}
