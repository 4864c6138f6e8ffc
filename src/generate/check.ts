/** What a generator accepts, and what it never draws. */
import { check } from '../gpu/index.js';
import { encodeSamplingRows } from '../kernels/sampling.js';
import { blindness } from '../models/core/family.js';
import { gridPatches, patchValues } from '../models/core/grid.js';
import type { Model } from '../models/core/model.js';
import { packSequences } from '../models/core/packing.js';
import type { ImagePatches } from '../models/core/patches.js';
import type { Vocabulary } from '../text/index.js';
import type { GroupSettings } from './group.js';
import type { GenerationRequest } from './request.js';

/** What the generator decides. */
export interface CheckContext {
  readonly tokenizer: Vocabulary | null;
  readonly stopIds: readonly number[];
  /** Most tokens that the cache may hold. */
  readonly cacheTokens: number;
}

/** Rejects a request that could not run, before it holds up others; else says what follows from it. */
export function checkRequest(model: Model, request: GenerationRequest, context: CheckContext): GroupSettings {
  const { ids, images, samples = 1, maxNewTokens, stop = [] } = request;
  const { config } = model;
  for (const [name, value] of Object.entries({ samples, maxNewTokens })) {
    check(Number.isInteger(value) && value > 0, 'value', () => {
      return `generate: ${name} is ${value}; it must be a positive integer`;
    });
  }
  encodeSamplingRows([{ ...request.sampling, seed: request.seed ?? 0 }]);
  check(stop.length === 0 || context.tokenizer, 'value', () => {
    return 'generate: stop texts need a tokenizer; give the generator one, or use stopIds';
  });
  check(!stop.includes(''), 'value', () => 'generate: an empty stop text would end every completion');
  packSequences(config, [{ ids, images: images?.grids }]);
  if (images) checkPixels(model, images);
  const { next } = config.positions(ids, { images: images?.grids });
  const cap = Math.min(maxNewTokens, config.text.maxPositions - next);
  check(cap > 0, 'value', () => {
    return `generate: the prompt takes ${next} positions, and the model has ${config.text.maxPositions}; shorten it`;
  });
  check(ids.length + cap - 1 <= context.cacheTokens, 'limit', () => {
    const size = `a prompt of ${ids.length} tokens and ${cap} new ones`;
    return `generate: ${size} do not fit a cache of ${context.cacheTokens} tokens; raise cacheTokens or ask for fewer`;
  });
  const stopIds = new Set(request.stopIds ?? context.stopIds);
  return { next, cap, stopIds, tokenizer: context.tokenizer };
}

function checkPixels({ config }: Model, { pixels, grids }: ImagePatches): void {
  const { vision, family } = config;
  check(vision, 'value', () => `generate: the prompt has images, but ${blindness(family)}`);
  const wanted = grids.reduce((sum, grid) => sum + gridPatches(grid), 0) * patchValues(vision);
  check(pixels.length === wanted, 'value', () => {
    return `generate: the images are ${pixels.length} numbers; their grids need ${wanted}`;
  });
}

/**
 * Ids that only prompts may have, for they announce pictures: a completion with them could not be read again. And padding,
 * unless nothing ends a completion: then every other id is an ordinary one, as reference implementations have it.
 */
export function neverDrawn({ config }: Model, stopIds: readonly number[]): number[] {
  const { image, video, visionStart, visionEnd, visionPad, pad, eos } = config.tokens;
  const ends = new Set([...stopIds, ...eos]);
  const padding =
    stopIds.length > 0 ? [visionPad, pad].filter((id) => id === undefined || !ends.has(id)) : [];
  const ids = [image, video, visionStart, visionEnd, ...padding];
  return ids.filter((id): id is number => id !== undefined && id >= 0 && id < config.text.vocabSize);
}
