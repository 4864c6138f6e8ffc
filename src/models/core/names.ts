/**
 * Weight names. Inside Osler every weight has its published name, which is also what we save; its family knows the other
 * names that files give it.
 */

/** Parts of a model that can be frozen, or trained at a rate of their own. */
export type ModelPart = 'vision_tower' | 'merger' | 'language_model';

/** A family's weight names. */
export interface WeightNames {
  /** The embedding, and the output head where it has weights of its own. */
  readonly embedding: string;
  readonly head: string;
  /**
   * The published name of a weight or module under any layout, or null for what the family does not have. Works on names
   * with or without `.weight`.
   */
  canonical(name: string): string | null;
  /** A published name in the layout that transformers has in memory: what adapters name modules by. */
  memory(name: string): string;
  /** Where the layers of each part are, as a regular expression for what stands before and in their paths. */
  readonly modules: Readonly<Record<ModelPart, string>>;
  /** First words of the paths of the tower and of its merger; none in a family that does not see. */
  readonly vision: readonly string[];
  /** The part that a weight belongs to, an adapter's matrices with the layer they stand beside. */
  part(name: string): ModelPart;
}

/** Whether a weight belongs to what sees. */
export function isVision(names: WeightNames, name: string): boolean {
  return names.part(name) !== 'language_model';
}

/** Whether an adapter's selector speaks of what sees: a regular expression with one of its words. */
export function namesVision({ vision }: WeightNames, selector: string | readonly string[]): boolean {
  return typeof selector === 'string' && vision.some((word) => selector.includes(word));
}
