/** Images as towers take them. */
import type { Grid } from './grid.js';

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
