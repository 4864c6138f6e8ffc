/** Weight names of Qwen3-VL, which are published as transformers has them in memory. */
import type { WeightNames } from '../../core/names.js';
import { canonicalText, withoutModel } from '../common/names.js';

/** What stands before the names of the decoder and of the tower. */
export const DECODER = 'model.language_model';
/** See {@link DECODER}. */
export const TOWER = 'model.visual';

/** See above. */
export const QWEN3_VL_NAMES: WeightNames = {
  embedding: `${DECODER}.embed_tokens.weight`,
  head: 'lm_head.weight',
  canonical(name) {
    const rest = withoutModel(name);
    if (rest.startsWith('visual.')) return `model.${rest}`;
    return canonicalText(name)?.replace(/^model\./, `${DECODER}.`) ?? null;
  },
  memory: (name) => name,
  modules: {
    vision_tower: 'visual\\.blocks\\..*',
    merger: 'visual\\.(merger|deepstack_merger_list)\\..*',
    language_model: 'layers\\..*',
  },
  vision: ['visual'],
  part(name) {
    if (/^model\.visual\.(merger|deepstack_merger_list)\./.test(name)) return 'merger';
    return name.startsWith('model.visual.') ? 'vision_tower' : 'language_model';
  },
};
