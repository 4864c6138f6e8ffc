/** Prompts from a file of tensors: no tokenizer is needed. */
import type { TensorFile } from '../formats/tensor-file.js';
import { gridPatches, patchValues } from '../models/core/grid.js';
import type { Model } from '../models/core/model.js';
import { readSequences } from '../models/inputs.js';
import type { GenerationRequest } from './request.js';

/** The prompts of `input_ids`, without padding on either side, with their share of `pixel_values`. */
export async function promptsOf(
  file: TensorFile,
  model: Model,
): Promise<Pick<GenerationRequest, 'ids' | 'images'>[]> {
  const { sequences, pixels } = await readSequences(file, model);
  const width = model.config.vision ? patchValues(model.config.vision) : 0;
  let patch = 0;
  return sequences.map(({ ids, images: grids = [] }) => {
    if (!pixels || grids.length === 0) return { ids };
    const first = patch;
    patch += grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
    return { ids, images: { pixels: pixels.subarray(first * width, patch * width), grids } };
  });
}
