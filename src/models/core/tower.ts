/** What a vision tower is to the rest of a model. */
import type { Tensor } from '../../tensor/index.js';
import type { Grid, VisionConfig } from './grid.js';

/** Some images on their way through a tower. Dispose it after the backward pass. */
export interface TowerPass {
  readonly patches: number;
  /**
   * Patches [N, values] of the images, in processor order, to features [cells, width] in the order of the images. Most
   * towers give one tensor of features, which takes the place of the placeholder tokens; what a family does with further
   * ones its decoder says.
   */
  forward(pixels: Tensor, recompute: boolean): readonly Tensor[];
  dispose(): void;
}

/** A vision tower with its merger. */
export interface Tower {
  readonly config: VisionConfig;
  /** Prepares a pass over some images. */
  pass(grids: readonly Grid[]): TowerPass;
}
