/**
 * Which families of models there are. All that is particular to one stands in its room, `families/<family>/`; the registry
 * joins the two, and nothing else asks which family a model is.
 */

/** By `model_type` of config.json: what people call it, and whether it takes pictures. */
export const FAMILIES = {
  qwen2_vl: { title: 'Qwen2-VL', sees: true },
  qwen2_5_vl: { title: 'Qwen2.5-VL', sees: true },
  qwen3_vl: { title: 'Qwen3-VL', sees: true },
  qwen2: { title: 'Qwen2', sees: false },
  qwen3: { title: 'Qwen3', sees: false },
  gemma3: { title: 'Gemma 3', sees: true },
  gemma3_text: { title: 'Gemma 3 text', sees: false },
  llama: { title: 'Llama', sees: false },
} as const;

/** See {@link FAMILIES}. */
export type Family = keyof typeof FAMILIES;

/** The families that take pictures, for people who chose another one. */
const SEEING = Object.values(FAMILIES)
  .flatMap(({ title, sees }) => (sees ? [title] : []))
  .join(' or ');

/** Why a model of a family takes no images, and which families do. */
export function blindness(family: Family): string {
  return `a ${family} model cannot see; use a ${SEEING}`;
}
