/** Image and video grids: how many patches an item has in time, height and width, as the image processor counts them. */
import type { ImageConfig } from '../../vision/config.js';
import { modelError } from './errors.js';

/** How a model's tower cuts pictures. */
export interface VisionConfig {
  readonly channels: number;
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  /** Patches per side of a merged cell, which takes one token. */
  readonly mergeSize: number;
  /** How pictures are prepared where a checkpoint's own settings do not say. */
  readonly pictures: ImageConfig;
}

/** Patches in time, height and width; an image has one in time. */
export type Grid = readonly [time: number, height: number, width: number];

/** Patches of a grid. */
export function gridPatches([t, h, w]: Grid): number {
  return t * h * w;
}

/** Tokens that a grid takes in the text: one per merged cell. */
export function gridTokens(grid: Grid, mergeSize: number): number {
  return gridPatches(grid) / mergeSize ** 2;
}

/** Values of one patch. */
export function patchValues(vision: VisionConfig): number {
  return vision.channels * vision.temporalPatchSize * vision.patchSize ** 2;
}

/** Rejects grids that no image processor gives. */
export function checkGrids(grids: readonly Grid[], mergeSize: number): void {
  grids.forEach((grid, i) => {
    const counts = grid.length === 3 && grid.every((n) => Number.isSafeInteger(n) && n > 0);
    if (counts && grid[1] % mergeSize === 0 && grid[2] % mergeSize === 0) return;
    const expected = `[time, height, width] in patches, height and width multiples of ${mergeSize}`;
    throw modelError(`image grid ${i}`, `is [${grid.join(', ')}]; expected ${expected}`);
  });
}
