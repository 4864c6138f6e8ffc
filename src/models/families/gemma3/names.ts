/**
 * Weight names of Gemma 3 models that see: as published, where the decoder is a causal language model within another model, and
 * as transformers has them in memory.
 */
import type { WeightNames } from '../../core/names.js';
import { canonicalText, withoutModel } from '../common/names.js';

/** What stands before the names of the decoder, and those around it. */
const LANGUAGE_MODEL = 'language_model.';
/** See {@link LANGUAGE_MODEL}. */
export const DECODER = `${LANGUAGE_MODEL}model`;
/** The output head, where it is apart. */
export const HEAD = `${LANGUAGE_MODEL}lm_head.weight`;
/** What stands before the names of the tower and of the projector. */
export const TOWER = 'vision_tower.vision_model';
/** See {@link TOWER}. */
export const PROJECTOR = 'multi_modal_projector';

/** See above. */
export const GEMMA3_NAMES: WeightNames = {
  embedding: `${DECODER}.embed_tokens.weight`,
  head: HEAD,
  canonical(name) {
    const rest = withoutModel(name);
    if (rest.startsWith('vision_tower.'))
      return rest.replace(/^vision_tower\.(vision_model\.)?/, `${TOWER}.`);
    if (rest.startsWith(`${PROJECTOR}.`)) return rest;
    const text = canonicalText(name);
    return text && `${LANGUAGE_MODEL}${text}`;
  },
  memory(name) {
    if (name.startsWith(`${LANGUAGE_MODEL}lm_head`)) return name.slice(LANGUAGE_MODEL.length);
    if (name.startsWith(`${DECODER}.`)) return name.replace(DECODER, 'model.language_model');
    return `model.${name.replace(TOWER, 'vision_tower')}`;
  },
  modules: {
    vision_tower: 'vision_tower\\..*',
    merger: `${PROJECTOR}\\..*`,
    language_model: 'language_model\\..*',
  },
  vision: ['vision_tower', PROJECTOR],
  part(name) {
    if (name.startsWith(`${PROJECTOR}.`)) return 'merger';
    return name.startsWith('vision_tower.') ? 'vision_tower' : 'language_model';
  },
};
