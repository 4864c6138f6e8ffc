/** Decoded images. */
import type { RgbImage } from '../platform/ports/pictures.js';

export type { RgbImage, Samples } from '../platform/ports/pictures.js';

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** The `RgbImage` of a grey picture. */
export function grey(width: number, height: number, levels: Uint8Array): RgbImage {
  const data = new Uint8Array(levels.length * 3);
  for (let i = 0, o = 0; i < levels.length; i++) {
    const level = levels[i] as number;
    data[o++] = level;
    data[o++] = level;
    data[o++] = level;
  }
  return { width, height, data };
}
