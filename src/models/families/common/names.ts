/** Names of a decoder's weights: `model.layers.0`, with or without the leading `model.`, or within another model. */
import type { WeightNames } from '../../core/names.js';

const TEXT = /^(embed_tokens|layers|norm)\./;
const LANGUAGE_MODEL = 'language_model.';
/** Buffers that old exports stored; they follow from the config. */
const DERIVED = /rotary_emb\.inv_freq$/;

/** The published name of a decoder's weight or module, or null. */
export function canonicalText(name: string): string | null {
  if (DERIVED.test(name)) return null;
  if (name === 'lm_head' || name.startsWith('lm_head.')) return name;
  let rest = withoutModel(name);
  if (rest.startsWith(LANGUAGE_MODEL)) {
    rest = rest.slice(LANGUAGE_MODEL.length);
    // `language_model.model.layers`: the decoder saved as a causal language model within another model.
    rest = withoutModel(rest);
    if (rest.startsWith('lm_head.')) return rest;
  }
  return TEXT.test(`${rest}.`) ? `model.${rest}` : null;
}

/** A name without the `model.` that base classes drop. */
export function withoutModel(name: string): string {
  return name.startsWith('model.') ? name.slice('model.'.length) : name;
}

/** Names of a model that is a decoder and nothing else. */
export const TEXT_NAMES: WeightNames = {
  embedding: 'model.embed_tokens.weight',
  head: 'lm_head.weight',
  canonical: canonicalText,
  memory: (name) => name,
  modules: { vision_tower: '', merger: '', language_model: 'layers\\..*' },
  vision: [],
  part: () => 'language_model',
};
