/**
 * Weight names. Checkpoints come with two layouts (`model.layers.0`, `visual.` as published; `model.language_model.`,
 * `model.visual.` in memory since transformers 4.52) and base classes drop the leading `model.`. Inside Osler every weight
 * has its published name, which is also what we save.
 */

const TEXT = /^(embed_tokens|layers|norm)\./;
const LANGUAGE_MODEL = 'language_model.';
/** Buffers that old exports stored; they follow from the config. */
const DERIVED = /rotary_emb\.inv_freq$/;

/**
 * The published name of a weight or module under any layout, or null for what no supported model has. Works on names with
 * or without `.weight`.
 */
export function canonicalName(name: string): string | null {
  if (DERIVED.test(name)) return null;
  if (name === 'lm_head' || name.startsWith('lm_head.')) return name;
  let rest = name.startsWith('model.') ? name.slice('model.'.length) : name;
  if (rest.startsWith('visual.')) return rest;
  if (rest.startsWith(LANGUAGE_MODEL)) {
    rest = rest.slice(LANGUAGE_MODEL.length);
    // `language_model.model.layers`: the decoder saved as a causal language model within another model.
    if (rest.startsWith('model.')) rest = rest.slice('model.'.length);
    if (rest.startsWith('lm_head.')) return rest;
  }
  return TEXT.test(`${rest}.`) ? `model.${rest}` : null;
}

/** A canonical name in the layout that transformers 4.52 and later use in memory. */
export function memoryName(name: string, multimodal: boolean): string {
  if (!multimodal || name.startsWith('lm_head')) return name;
  if (name.startsWith('visual.')) return `model.${name}`;
  return name.replace(/^model\./, 'model.language_model.');
}

/** Whether a canonical name belongs to the vision tower. */
export function isVision(name: string): boolean {
  return name.startsWith('visual.');
}
