/** Decides what a phantom picture shows, so that a chosen answer is the right one. */
import type { Modality, QuestionType } from '../data/modalities.js';
import { QUESTION_TYPES } from '../data/modalities.js';
import type { Random } from '../data/random.js';
import {
  type Composition,
  DIAMETERS,
  type Finding,
  GRADES,
  type Grade,
  type Lesion,
  type Plan,
  type Scene,
  SIZES,
  type Side,
  type Size,
} from './scene.js';
import { SCENES } from './scenes/index.js';

/** What a question asks for. */
export type Topic =
  | 'modality'
  | 'anatomy'
  | 'diagnosis'
  | 'size'
  | 'grade'
  | 'count'
  | 'quadrant'
  | 'side'
  | 'attribute';

/** What an open question asks for: to name three things, to measure and to locate. */
export type OpenTopic = 'modality' | 'anatomy' | 'diagnosis' | 'measure' | 'locate';

/** Quarters of the image as displayed. */
export const QUADRANTS = ['upper left', 'upper right', 'lower left', 'lower right'] as const;
export type Quadrant = (typeof QUADRANTS)[number];

/** A picture that is decided on, with everything that is true of it. */
export interface Subject {
  readonly scene: Scene;
  readonly composition: Composition;
  readonly plan: Plan;
  /** Size of the lesions of a focal finding. */
  readonly size?: Size;
  /** Where the one lesion is; undefined for none, several, or one near a middle line. */
  readonly quadrant?: Quadrant;
}

/** What must hold of a picture for its question. */
interface Wish {
  readonly finding?: 'none' | 'focal' | 'diffuse' | 'sided';
  readonly count?: number;
  readonly quadrant?: Quadrant;
  readonly size?: Size;
}

/** Half the width of the cross in the middle that belongs to no quadrant. */
const CROSS = 0.06;

/** Chooses a topic of a question type, for a modality. */
export function topicOf(type: QuestionType, modality: Modality, random: Random, plain: boolean): Topic {
  const [anatomy, disease, grading, recognition] = QUESTION_TYPES;
  if (type === recognition) return 'modality';
  if (type === anatomy) return 'anatomy';
  if (type === disease) return 'diagnosis';
  const scenes = SCENES.filter((scene) => scene.modality === modality);
  if (type === grading) return random.uniform() < 0.65 || !has(scenes, 'diffuse') ? 'size' : 'grade';
  const attributed = !plain && (modality === 'MRI' || modality === 'Fundus');
  const topics: Topic[] = ['count', 'count', 'quadrant', 'quadrant'];
  if (!plain && has(scenes, 'sided')) topics.push('side');
  if (attributed) topics.push('attribute');
  return random.pick(topics);
}

function has(scenes: readonly Scene[], wanted: 'diffuse' | 'sided'): boolean {
  return scenes.some(({ findings }) =>
    findings.some(({ kind, sided }) => (wanted === 'sided' ? sided === true : kind === 'diffuse')),
  );
}

/** Decides on a picture of a modality on which the topic's answers are equally likely. */
export function subjectFor(topic: Topic | OpenTopic, modality: Modality, random: Random): Subject {
  const scenes = SCENES.filter((scene) => scene.modality === modality);
  const wish = wishFor(topic, random);
  // Not every body part has room for every wish; each try draws scene, pose and places anew.
  for (let tries = 0; tries < 500; tries++) {
    const found = attempt(scenes, wish, topic, random);
    if (found !== undefined) return found;
  }
  throw new Error(`no ${modality} phantom fits ${topic} ${JSON.stringify(wish)}`);
}

function wishFor(topic: Topic | OpenTopic, random: Random): Wish {
  if (topic === 'size') {
    const size = random.pick([...SIZES, undefined]);
    return size === undefined ? { finding: 'none' } : { finding: 'focal', size };
  }
  if (topic === 'grade') return random.uniform() < 0.25 ? { finding: 'none' } : { finding: 'diffuse' };
  if (topic === 'count') {
    const count = random.below(5);
    return count === 0 ? { finding: 'none' } : { finding: 'focal', count };
  }
  if (topic === 'quadrant') return { finding: 'focal', count: 1, quadrant: random.pick(QUADRANTS) };
  if (topic === 'side') return { finding: 'sided' };
  if (topic === 'measure') return { finding: 'focal', size: random.pick(SIZES) };
  if (topic === 'locate') return { finding: 'focal', count: random.pick([1, 1, 1, 2]) };
  return {};
}

function attempt(
  scenes: readonly Scene[],
  wish: Wish,
  topic: Topic | OpenTopic,
  random: Random,
): Subject | undefined {
  const scene = random.pick(scenes);
  const composition = scene.compose(random);
  const finding = pickFinding(scene, wish, random);
  if (finding === null) return undefined;
  // The question of a grade needs a finding to ask about, even on a healthy picture.
  if (topic === 'grade' && !scene.findings.some(({ kind }) => kind === 'diffuse')) return undefined;
  if (finding === undefined) return { scene, composition, plan: { lesions: [] } };
  if (finding.kind === 'diffuse') {
    const grade: Grade = random.pick(GRADES);
    const side: Side | undefined = finding.sided ? random.pick(['left', 'right'] as const) : undefined;
    return { scene, composition, plan: { finding, lesions: [], grade, ...(side ? { side } : {}) } };
  }
  const sizes = finding.sizes ?? SIZES;
  const size = wish.size ?? random.pick(sizes);
  const count = wish.count ?? random.pick([1, 1, 1, 2, 2, 3]);
  if (!sizes.includes(size) || count > (finding.most ?? 4)) return undefined;
  const lesions = placeLesions(composition, finding, count, size, wish.quadrant, random);
  if (lesions === undefined) return undefined;
  const [only] = lesions;
  const quadrant = lesions.length === 1 ? quadrantOf(only as Lesion) : undefined;
  return { scene, composition, plan: { finding, lesions }, size, ...(quadrant ? { quadrant } : {}) };
}

/** A finding that the wish allows, undefined for a healthy picture, null where the scene has none. */
function pickFinding(scene: Scene, wish: Wish, random: Random): Finding | undefined | null {
  if (wish.finding === 'none') return undefined;
  if (wish.finding === undefined) return random.pick([undefined, ...scene.findings]);
  const allowed = scene.findings.filter(({ kind, sided }) =>
    wish.finding === 'sided' ? sided === true : kind === wish.finding,
  );
  return allowed.length === 0 ? null : random.pick(allowed);
}

function placeLesions(
  composition: Composition,
  finding: Finding,
  count: number,
  size: Size,
  quadrant: Quadrant | undefined,
  random: Random,
): Lesion[] | undefined {
  const [low, high] = DIAMETERS[size];
  const lesions: Lesion[] = [];
  for (let tries = 0; tries < 400 && lesions.length < count; tries++) {
    const radius = random.uniform(low, high) / 2;
    const [x, y] = [random.uniform(), random.uniform()];
    const apart = lesions.every(
      (other) => Math.hypot(other.x - x, other.y - y) > 1.2 * (other.radius + radius) + 0.03,
    );
    const wanted = quadrant === undefined || quadrantOf({ x, y, radius }) === quadrant;
    if (apart && wanted && composition.fits(finding, x, y, radius)) lesions.push({ x, y, radius });
  }
  return lesions.length === count ? lesions : undefined;
}

/** The quarter that a lesion's centre is clearly in. */
export function quadrantOf({ x, y }: Lesion): Quadrant | undefined {
  if (Math.abs(x - 0.5) < CROSS || Math.abs(y - 0.5) < CROSS) return undefined;
  return `${y < 0.5 ? 'upper' : 'lower'} ${x < 0.5 ? 'left' : 'right'}`;
}
