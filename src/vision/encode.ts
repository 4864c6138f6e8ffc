/** From pictures to files, for reports and for endpoints. */
import { port } from '../platform/current.js';
import type { EncodeOptions } from '../platform/ports/pictures.js';
import type { RgbImage } from './image.js';

export type { EncodeOptions } from '../platform/ports/pictures.js';

/** A picture as a file; shrunk, where it is larger, to fit a square of `side` pixels. */
export function encodeImage(image: RgbImage, options: EncodeOptions): Promise<Uint8Array> {
  return port('pictures').encode(image, options);
}
