/** Questions about phantom pictures: words, options, the answer, and reasoning that is true of the picture. */
import { MODALITIES, type Modality } from '../data/modalities.js';
import { letterAt } from '../data/question.js';
import type { Random } from '../data/random.js';
import { QUADRANTS, type Subject, type Topic } from './plan.js';
import { type Finding, GRADES, type Scene, SIZE_LIMITS, SIZES } from './scene.js';
import { SCENES } from './scenes/index.js';

/** `full`: several wordings and reasoning in steps. `short`: one wording and a sentence, for models of a few megabytes. */
export type Wording = 'full' | 'short';

/** What is asked of one picture. */
export interface Asked {
  readonly question: string;
  readonly options: Readonly<Record<string, string>>;
  readonly answer: string;
  readonly reasoning: string;
}

/** A question before its options have letters. */
interface Draft {
  readonly question: readonly string[];
  readonly right: string;
  readonly wrong: readonly string[];
  /** Observations that lead to the answer. */
  readonly steps: readonly string[];
  /** The one that matters most. */
  readonly gist: string;
}

/** What modalities are called in questions. */
export const NAMES: Readonly<Record<Modality, string>> = {
  CT: 'CT',
  MRI: 'MRI',
  'X-Ray': 'X-ray',
  Ultrasound: 'Ultrasound',
  Dermoscopy: 'Dermoscopy',
  Fundus: 'Fundus photography',
  OCT: 'OCT',
  Microscopy: 'Microscopy',
};
const NUMBERS = ['None', 'One', 'Two', 'Three', 'Four'] as const;
const HEALTHY = 'No abnormality';
const [SMALL_LIMIT, LARGE_LIMIT] = SIZE_LIMITS.map((limit) => `${Math.round(limit * 100)}%`);

/** Asks about a picture. */
export function ask(topic: Topic, subject: Subject, wording: Wording, random: Random): Asked {
  const draft = DRAFTS[topic](subject, random);
  const texts = random.shuffle([draft.right, ...draft.wrong.slice(0, 3)]);
  const options = Object.fromEntries(texts.map((text, i) => [letterAt(i), text]));
  const conclusion = `So the answer is ${draft.right}.`;
  return {
    question: wording === 'short' ? (draft.question[0] as string) : random.pick(draft.question),
    options,
    answer: letterAt(texts.indexOf(draft.right)),
    reasoning: wording === 'short' ? draft.gist : [...draft.steps, conclusion].join(' '),
  };
}

const DRAFTS: Readonly<Record<Topic, (subject: Subject, random: Random) => Draft>> = {
  modality({ scene }, random) {
    const right = NAMES[scene.modality];
    return {
      question: [
        'What modality is this image?',
        'What imaging modality was used to take this image?',
        'How was this image taken?',
      ],
      right,
      wrong: random.shuffle(MODALITIES.map((name) => NAMES[name])).filter((name) => name !== right),
      steps: [saysModality(scene), `${right} makes such images.`],
      gist: saysModality(scene),
    };
  },

  anatomy({ scene }, random) {
    return {
      question: [
        'What is this image centred on?',
        'Which body part or structure is in the centre of this image?',
        `What structure was examined in this ${NAMES[scene.modality]} image?`,
      ],
      right: scene.anatomy,
      wrong: otherAnatomies(scene, random),
      steps: [saysModality(scene), saysAnatomy(scene)],
      gist: saysAnatomy(scene),
    };
  },

  diagnosis(subject, random) {
    const { scene, plan } = subject;
    const right = plan.finding?.name ?? HEALTHY;
    return {
      question: [
        'What is the diagnosis?',
        'What abnormality is seen in this image?',
        `What does this ${NAMES[scene.modality]} image suggest?`,
      ],
      right,
      wrong: otherDiagnoses(scene, right, random),
      steps: [
        saysAnatomy(scene),
        saysFinding(subject),
        plan.finding ? `That is typical of ${right.toLowerCase()}.` : 'The tissues look as they should.',
      ],
      gist: saysFinding(subject),
    };
  },

  size(subject) {
    const { plan, size } = subject;
    const right = size === undefined ? 'No lesion' : capital(size);
    const widest = Math.max(0, ...plan.lesions.map(({ radius }) => 2 * radius));
    const measured = `The largest lesion is about ${Math.round(widest * 100)}% of the image wide`;
    const judged = {
      small: `${measured}, which is below ${SMALL_LIMIT}: small.`,
      medium: `${measured}, which is between ${SMALL_LIMIT} and ${LARGE_LIMIT}: medium.`,
      large: `${measured}, which is above ${LARGE_LIMIT}: large.`,
    };
    return {
      question: [
        'How large is the lesion?',
        `Grade the lesion by its diameter: small is below ${SMALL_LIMIT} of the image width, large is above ${LARGE_LIMIT}.`,
        `What is the size grade of the lesions (small: below ${SMALL_LIMIT} of the image width; large: above ${LARGE_LIMIT})?`,
      ],
      right,
      wrong: [...SIZES.map(capital), 'No lesion'].filter((text) => text !== right),
      steps: size === undefined ? [saysFinding(subject)] : [saysFinding(subject), judged[size]],
      gist: size === undefined ? saysFinding(subject) : judged[size],
    };
  },

  grade(subject) {
    const { scene, plan } = subject;
    const asked = plan.finding ?? (scene.findings.find(({ kind }) => kind === 'diffuse') as Finding);
    const right = plan.grade === undefined ? 'Absent' : capital(plan.grade);
    const name = asked.name.toLowerCase();
    const meaning = asked.scale
      ?.split('; ')
      .map((part) => part.split(': '))
      .find(([grade]) => grade === plan.grade)?.[1];
    const judged =
      plan.grade === undefined ? `There is no ${name}.` : `For ${name} this is ${plan.grade} (${meaning}).`;
    return {
      question: [
        `How severe is the ${name}?`,
        `Grade the ${name} (${asked.scale}).`,
        `What grade of ${name} does the image show? ${capital(asked.scale as string)}.`,
      ],
      right,
      wrong: [...GRADES.map(capital), 'Absent'].filter((text) => text !== right),
      steps: [saysFinding(subject), judged],
      gist: plan.grade === undefined ? saysFinding(subject) : judged,
    };
  },

  count(subject, random) {
    const count = subject.plan.lesions.length;
    const right = NUMBERS[count] as string;
    // The neighbours of the right number are always among the options.
    const near = NUMBERS.filter((_, i) => Math.abs(i - count) === 1);
    const far = random.shuffle(NUMBERS.filter((_, i) => Math.abs(i - count) > 1));
    return {
      question: [
        'How many lesions are there?',
        'How many focal lesions are visible in this image?',
        'Count the focal lesions in this image.',
      ],
      right,
      wrong: [...near, ...far],
      steps: [saysModality(subject.scene), saysFinding(subject), count > 0 ? saysPlaces(subject) : ''].filter(
        Boolean,
      ),
      gist: saysFinding(subject),
    };
  },

  quadrant(subject) {
    const right = capital(subject.quadrant as string);
    return {
      question: [
        'Where is the lesion?',
        'In which quadrant of the displayed image is the lesion?',
        'Which part of the image, as displayed, holds the lesion?',
      ],
      right,
      wrong: QUADRANTS.map(capital).filter((text) => text !== right),
      steps: [saysFinding(subject), saysPlaces(subject)],
      gist: saysPlaces(subject),
    };
  },

  side(subject) {
    const side = subject.plan.side as string;
    const name = (subject.plan.finding as Finding).name.toLowerCase();
    return {
      question: [
        `On which side of the image is the ${name}?`,
        `Which half of the displayed image shows the ${name}?`,
      ],
      right: capital(side),
      wrong: [side === 'left' ? 'Right' : 'Left', 'Both', 'Neither'],
      steps: [saysAnatomy(subject.scene), saysFinding(subject)],
      gist: saysFinding(subject),
    };
  },

  attribute({ scene, composition }) {
    const { weighting, eye } = composition.attributes;
    if (weighting !== undefined) {
      const bright = weighting === 'T1' ? 'Fat is bright and fluid is dark' : 'Fluid is brighter than fat';
      return {
        question: ['Which weighting does this image have?', 'What is the weighting of this MRI sequence?'],
        right: `${weighting}-weighted`,
        wrong: [weighting === 'T1' ? 'T2-weighted' : 'T1-weighted'],
        steps: [saysModality(scene), `${bright}, which is the contrast of ${weighting} weighting.`],
        gist: `${bright}.`,
      };
    }
    return {
      question: ['Which eye is this?', 'Which eye does this fundus photograph show?'],
      right: `${capital(eye as string)} eye`,
      wrong: [eye === 'left' ? 'Right eye' : 'Left eye'],
      steps: [
        saysModality(scene),
        `The optic disc lies to the ${eye} of the macula, and the disc is on the side of the nose.`,
      ],
      gist: `The optic disc lies to the ${eye} of the macula.`,
    };
  },
};

/** What gives the modality away. */
export function saysModality({ modalitySigns }: Scene): string {
  return `The image has ${modalitySigns}.`;
}

/** What gives the body part away. */
export function saysAnatomy({ anatomy, anatomySigns }: Scene): string {
  return `It shows ${anatomySigns}, the signs of ${/^[A-Z]{2}/.test(anatomy) ? anatomy : anatomy.toLowerCase()}.`;
}

/** What there is to see, in one sentence. */
export function saysFinding({ plan }: Subject): string {
  const { finding, lesions, side } = plan;
  if (finding === undefined) return 'I see no lesion and nothing out of place.';
  if (finding.kind === 'diffuse') {
    return `I see ${finding.looks}${side === undefined ? '' : `, on the ${side} side of the image`}.`;
  }
  const count = (NUMBERS[lesions.length] as string).toLowerCase();
  return lesions.length === 1
    ? `I see one lesion: ${finding.looks}.`
    : `I see ${count} lesions, each ${finding.looks}.`;
}

/** Where the lesions are. */
function saysPlaces({ plan, quadrant }: Subject): string {
  if (quadrant !== undefined) {
    const [vertical, horizontal] = quadrant.split(' ');
    return `Its centre is ${vertical === 'upper' ? 'above' : 'below'} and ${horizontal} of the middle of the image.`;
  }
  const places = plan.lesions.map(
    ({ x, y }) => `${Math.round(x * 100)}% across and ${Math.round(y * 100)}% down`,
  );
  return `${plan.lesions.length === 1 ? 'It lies' : 'They lie'} ${list(places)}.`;
}

function list(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** Body parts that this one is surely not: first those that the same modality shows. */
function otherAnatomies(scene: Scene, random: Random): string[] {
  const others = random.shuffle(SCENES.filter((other) => other.anatomy !== scene.anatomy));
  const same = others.filter((other) => other.modality === scene.modality);
  const far = others.filter((other) => other.modality !== scene.modality && other.region !== scene.region);
  return distinct([...same, ...far].map(({ anatomy }) => anatomy));
}

/** Diagnoses that do not hold: first those of the same body part, then those of the same modality. */
function otherDiagnoses(scene: Scene, right: string, random: Random): string[] {
  const elsewhere = random.shuffle(SCENES.filter((other) => other !== scene));
  const near = elsewhere.filter((other) => other.modality === scene.modality);
  const far = elsewhere.filter((other) => other.modality !== scene.modality);
  const names = (scenes: readonly Scene[]) =>
    scenes.flatMap(({ findings }) => random.shuffle(findings).map(({ name }) => name));
  const own = random.shuffle([HEALTHY, ...scene.findings.map(({ name }) => name)]);
  return distinct([...own, ...names(near), ...names(far)]).filter((name) => name !== right);
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
