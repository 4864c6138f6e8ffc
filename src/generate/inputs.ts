/** Prompts from a file of tensors, as parity fixtures have them: no tokenizer is needed. */
import { gridPatches, patchValues } from '../models/core/grid.js';
import type { Model } from '../models/core/model.js';
import { type Fixture, readSequences } from '../models/parity/fixture.js';
import type { GenerationRequest } from './request.js';

/** The prompts of `input_ids`, without padding on either side, with their share of `pixel_values`. */
export async function promptsOf(
  fixture: Fixture,
  model: Model,
): Promise<Pick<GenerationRequest, 'ids' | 'images'>[]> {
  const { sequences, pixels } = await readSequences(fixture, model);
  const width = model.config.vision ? patchValues(model.config.vision) : 0;
  let patch = 0;
  return sequences.map(({ ids, images: grids = [] }) => {
    if (!pixels || grids.length === 0) return { ids };
    const first = patch;
    patch += grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
    return { ids, images: { pixels: pixels.subarray(first * width, patch * width), grids } };
  });
}
