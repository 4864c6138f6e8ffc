/** Open questions about phantom pictures: to name, to measure and to locate, without options to choose from. */
import { type Expected, expectedOpen } from '../data/answers/record.js';
import type { Modality, QuestionType } from '../data/modalities.js';
import { QUESTION_TYPES } from '../data/modalities.js';
import type { Random } from '../data/random.js';
import { NAMES, saysAnatomy, saysFinding, saysModality, type Wording } from './ask.js';
import type { OpenTopic, Subject } from './plan.js';
import type { Lesion } from './scene.js';

/** What is asked of one picture. */
export interface OpenAsked extends Expected {
  readonly question: string;
  readonly reasoning: string;
}

/** A question in several wordings, what is right, and observations that lead there, the one that matters most last. */
interface Draft {
  readonly question: readonly string[];
  readonly expected: Expected;
  readonly steps: readonly string[];
}

/** What else a modality is called. */
const ALSO: Readonly<Record<Modality, readonly string[]>> = {
  CT: ['computed tomography', 'CT scan'],
  MRI: ['magnetic resonance imaging', 'MR'],
  'X-Ray': ['radiograph', 'radiography', 'plain radiograph'],
  Ultrasound: ['sonography', 'ultrasonography'],
  Dermoscopy: ['dermatoscopy'],
  Fundus: ['fundus photograph', 'fundus', 'retinal photograph'],
  OCT: ['optical coherence tomography'],
  Microscopy: ['light microscopy', 'histology', 'histopathology'],
};
const HEALTHY = ['No abnormality', 'none', 'normal', 'no lesion', 'healthy'];
/** Percent of the image's width that a measurement may be off. */
const TOLERANCE = 2;

/** The open question of each type. */
const TOPICS: Readonly<Record<QuestionType, OpenTopic>> = {
  [QUESTION_TYPES[0]]: 'anatomy',
  [QUESTION_TYPES[1]]: 'diagnosis',
  [QUESTION_TYPES[2]]: 'measure',
  [QUESTION_TYPES[3]]: 'modality',
  [QUESTION_TYPES[4]]: 'locate',
};

/** See {@link TOPICS}. */
export function openTopicOf(type: QuestionType): OpenTopic {
  return TOPICS[type];
}

/** Asks about a picture. */
export function askOpen(topic: OpenTopic, subject: Subject, wording: Wording, random: Random): OpenAsked {
  const { question, expected, steps } = DRAFTS[topic](subject);
  return {
    question: wording === 'short' ? (question[0] as string) : random.pick(question),
    ...expected,
    reasoning:
      wording === 'short'
        ? (steps.at(-1) as string)
        : `${steps.join(' ')} So the answer is ${expected.answer}.`,
  };
}

const DRAFTS: Readonly<Record<OpenTopic, (subject: Subject) => Draft>> = {
  modality: ({ scene }) => ({
    question: ['Name the modality.', 'Which imaging modality made this image?', 'How was this image taken?'],
    expected: expectedOpen({ kind: 'text', accepted: [NAMES[scene.modality], ...ALSO[scene.modality]] }),
    steps: [saysModality(scene)],
  }),

  anatomy: ({ scene }) => ({
    question: [
      'Name the body part.',
      'What is this image centred on?',
      'Which body part or structure is shown?',
    ],
    expected: expectedOpen({ kind: 'text', accepted: [scene.anatomy] }),
    steps: [saysModality(scene), saysAnatomy(scene)],
  }),

  diagnosis: (subject) => ({
    question: [
      'Name the diagnosis.',
      'What abnormality is seen in this image?',
      'What does this image suggest?',
    ],
    expected: expectedOpen({
      kind: 'text',
      accepted: subject.plan.finding ? [subject.plan.finding.name] : HEALTHY,
    }),
    steps: [saysAnatomy(subject.scene), saysFinding(subject)],
  }),

  measure(subject) {
    const widest = Math.max(...subject.plan.lesions.map(({ radius }) => 2 * radius));
    const value = Math.round(100 * widest);
    return {
      question: [
        'Measure the lesion in % of the width.',
        "What is the diameter of the largest lesion, in percent of the image's width?",
        "Measure the largest lesion: its diameter in percent of the image's width.",
      ],
      expected: expectedOpen({ kind: 'number', value, tolerance: TOLERANCE, unit: '%' }),
      steps: [saysFinding(subject), `The largest lesion is about ${value}% of the image wide.`],
    };
  },

  locate(subject) {
    const { lesions } = subject.plan;
    const boxes = lesions.map(({ x, y, radius }) => {
      const edges = [x - radius, y - radius, x + radius, y + radius].map((edge) => Math.round(100 * edge));
      return edges as unknown as readonly [number, number, number, number];
    });
    return {
      question: [
        'Locate the lesions: boxes in %.',
        "Locate each lesion: its box, in percent of the image's width and height from the upper left corner.",
        "Where are the lesions? Give boxes in percent of the image's width and height from the upper left corner.",
      ],
      expected: expectedOpen({ kind: 'boxes', boxes }),
      steps: [saysFinding(subject), saysEdges(lesions)],
    };
  },
};

function saysEdges(lesions: readonly Lesion[]): string {
  const places = lesions.map(
    ({ x, y, radius }) =>
      `${Math.round(100 * x)}% across and ${Math.round(100 * y)}% down, ${Math.round(200 * radius)}% wide`,
  );
  return `${lesions.length === 1 ? 'It lies' : 'They lie'} ${places.join(', and ')}.`;
}
