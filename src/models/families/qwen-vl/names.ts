/** Weight names of the Qwen-VL models: `visual.` and `model.` as published, `model.visual.` and `model.language_model.` in memory. */
import type { WeightNames } from '../../core/names.js';
import { canonicalText, TEXT_NAMES, withoutModel } from '../common/names.js';

/** See above. */
export const QWEN_VL_NAMES: WeightNames = {
  ...TEXT_NAMES,
  canonical(name) {
    const rest = withoutModel(name);
    return rest.startsWith('visual.') ? rest : canonicalText(name);
  },
  memory(name) {
    if (name.startsWith('lm_head')) return name;
    if (name.startsWith('visual.')) return `model.${name}`;
    return name.replace(/^model\./, 'model.language_model.');
  },
  modules: {
    vision_tower: 'visual\\.blocks\\..*',
    merger: 'visual\\.merger\\..*',
    language_model: TEXT_NAMES.modules.language_model,
  },
  vision: ['visual'],
  part(name) {
    if (name.startsWith('visual.merger.')) return 'merger';
    return name.startsWith('visual.') ? 'vision_tower' : 'language_model';
  },
};
