/** What a vision tower is to the rest of a model, and how passes are made. */
import type { DropoutStep } from '../../nn/linear.js';
import type { Tensor } from '../../tensor/index.js';
import type { Grid, VisionConfig } from './grid.js';

/** Options of a pass through layers. */
export interface PassOptions {
  /** Compute each layer's intermediates again in the backward pass instead of keeping them. */
  readonly recompute?: boolean;
  /** Masks for the dropout of an adapter, as in training; without them nothing is dropped. */
  readonly dropout?: DropoutStep | undefined;
}

/** Some images on their way through a tower. Dispose it after the backward pass. */
export interface TowerPass {
  readonly patches: number;
  /**
   * Patches [N, values] of the images, in processor order, to features [cells, width] in the order of the images. Most
   * towers give one tensor of features, which takes the place of the placeholder tokens; what a family does with further
   * ones its decoder says.
   */
  forward(pixels: Tensor, options: PassOptions): readonly Tensor[];
  dispose(): void;
}

/** A vision tower with its merger. */
export interface Tower {
  readonly config: VisionConfig;
  /** Prepares a pass over some images. */
  pass(grids: readonly Grid[]): TowerPass;
}
