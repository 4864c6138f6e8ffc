/** What a phantom picture shows, and how a modality and body part draws it. */
import type { Modality } from '../data/modalities.js';
import type { Random } from '../data/random.js';
import type { Channels } from './picture.js';

/** Sizes of focal lesions, and grades of diffuse findings, from small to large. */
export const SIZES = ['small', 'medium', 'large'] as const;
export type Size = (typeof SIZES)[number];
export const GRADES = ['mild', 'moderate', 'severe'] as const;
export type Grade = (typeof GRADES)[number];
export type Side = 'left' | 'right';
/** Parts of the body that have nothing in common. */
export type Region = 'head' | 'torso' | 'leg' | 'eye' | 'cells';

/** Diameters as shares of the image's width; the gaps make each size unmistakable. */
export const DIAMETERS: Readonly<Record<Size, readonly [number, number]>> = {
  small: [0.08, 0.1],
  medium: [0.14, 0.17],
  large: [0.22, 0.26],
};
/** Diameters between the sizes. */
export const SIZE_LIMITS = [0.12, 0.2] as const;

/** Something that a picture may show. */
export interface Finding {
  /** As an answer option. */
  readonly name: string;
  /** What one looks like, after "I see": a noun with its article. */
  readonly looks: string;
  /** `focal`: one to four lesions of one size. `diffuse`: one change with a grade. */
  readonly kind: 'focal' | 'diffuse';
  /** Sizes that there is room for; all by default. */
  readonly sizes?: readonly Size[];
  /** Most lesions that there is room for; 4 by default. */
  readonly most?: number;
  /** For diffuse findings: what the three grades mean, for the question. */
  readonly scale?: string;
  /** For diffuse findings that are on one side of the image. */
  readonly sided?: boolean;
}

/** A round lesion in a picture, in shares of its width. */
export interface Lesion {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** What is to be drawn. */
export interface Plan {
  readonly finding?: Finding;
  readonly lesions: readonly Lesion[];
  readonly grade?: Grade;
  readonly side?: Side;
}

/** How hard a picture is to read. */
export interface Look {
  /** Contrast of lesions against what is around them; 1 is plain to see. */
  readonly contrast: number;
  /** Noise, relative to a good machine. */
  readonly noise: number;
}

/** A body part with its pose fixed. */
export interface Composition {
  /** Further facts that a question may ask for, such as the weighting of an MRI. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Whether a lesion of a finding may be there. */
  fits(finding: Finding, x: number, y: number, radius: number): boolean;
  /** Draws it; `random` is for texture only. */
  paint(size: number, plan: Plan, look: Look, random: Random): Channels;
}

/** A body part as a modality shows it. */
export interface Scene {
  readonly modality: Modality;
  /** As an answer option. */
  readonly anatomy: string;
  /** Scenes of one region may each be right about a picture of the other, so that they are no wrong options for it. */
  readonly region: Region;
  /** What gives the modality away, a sentence part after "the image has". */
  readonly modalitySigns: string;
  /** What gives the body part away, a sentence part after "it shows". */
  readonly anatomySigns: string;
  readonly findings: readonly Finding[];
  /** Fixes the pose. */
  compose(random: Random): Composition;
}
