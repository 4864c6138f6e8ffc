/**
 * The phantom dataset: pictures drawn by formulas, in the manner of eight imaging modalities, with questions whose answers
 * are known because the pictures were drawn to fit them. It is for trying out and testing, never clinical data.
 */

import { MODALITIES, type Modality, QUESTION_TYPES, type QuestionType } from '../data/modalities.js';
import type { Question } from '../data/question.js';
import { Random } from '../data/random.js';
import { check } from '../gpu/index.js';
import { ask, type Wording } from './ask.js';
import { askOpen, openTopicOf } from './ask-open.js';
import { type Picture, toPicture } from './picture.js';
import { type Subject, subjectFor, topicOf } from './plan.js';
import type { Look } from './scene.js';

/** How plain lesions are against noise. */
export const DIFFICULTIES = ['easy', 'medium', 'hard'] as const;
export type Difficulty = (typeof DIFFICULTIES)[number];

const LOOKS: Readonly<Record<Difficulty, Look>> = {
  easy: { contrast: 1, noise: 0.4 },
  medium: { contrast: 0.7, noise: 1 },
  hard: { contrast: 0.3, noise: 1.8 },
};

/** Whether questions have options. */
export const PHANTOM_ANSWERS = ['choice', 'open'] as const;
export type PhantomAnswers = (typeof PHANTOM_ANSWERS)[number];

/** What to draw and ask. */
export interface PhantomOptions {
  /** Number of questions, one picture each. */
  readonly n: number;
  readonly seed: number;
  /** Side of the pictures in pixels; 336 by default. */
  readonly size?: number;
  readonly difficulty?: Difficulty;
  readonly wording?: Wording;
  /** `choice`, with options, by default; `open`: to name, to measure and to locate. */
  readonly answers?: PhantomAnswers;
  /** All eight by default. */
  readonly modalities?: readonly Modality[];
  /** All five by default. */
  readonly questionTypes?: readonly QuestionType[];
}

/** Everything that is true of a picture, for programs; names are those of the file. */
export interface PhantomFacts {
  readonly image: string;
  readonly modality: Modality;
  readonly anatomy: string;
  /** Name of the finding; null for a healthy picture. */
  readonly finding: string | null;
  /** Focal lesions: centre from the upper left corner, and diameter, in shares of the width. */
  readonly lesions: readonly { readonly x: number; readonly y: number; readonly diameter: number }[];
  readonly size: string | null;
  readonly quadrant: string | null;
  readonly grade: string | null;
  readonly side: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly topic: string;
  readonly difficulty: Difficulty;
}

/** One question of the phantom dataset. */
export interface PhantomItem {
  readonly question: Question;
  readonly facts: PhantomFacts;
  /** Draws the picture; it depends on nothing but the options and the item's number. */
  draw(): Picture;
}

/** Largest side of a picture that is painted at twice its size, so that small pictures are smooth. */
const SUPERSAMPLED = 168;

/**
 * The questions of a phantom dataset, in order, without drawing. Modalities and question types take turns, and item i is
 * the same for every n: a larger dataset begins with a smaller one.
 */
export function* phantom(options: PhantomOptions): Generator<PhantomItem> {
  const { n, seed, size = 336, difficulty = 'medium', wording = 'full', answers = 'choice' } = options;
  for (const [name, value, least] of [
    ['n', n, 1],
    ['size', size, 28],
  ] as const) {
    check(
      Number.isSafeInteger(value) && value >= least,
      'value',
      () => `phantom: ${name} is ${value}; it must be a whole number of at least ${least}`,
    );
  }
  const modalities = options.modalities ?? MODALITIES;
  const types = options.questionTypes ?? QUESTION_TYPES;
  for (let i = 0; i < n; i++) {
    const modality = modalities[i % modalities.length] as Modality;
    const type = types[Math.floor(i / modalities.length) % types.length] as QuestionType;
    // Streams of their own for what is shown and for texture: wording and difficulty leave the rest as it is.
    const random = new Random(seed, 'phantom subject', i);
    const words = new Random(seed, 'phantom question', i);
    const { topic, subject, asked } =
      answers === 'open'
        ? openly(type, modality, wording, random, words)
        : withOptions(type, modality, wording, random, words);
    const id = `phantom-${seed}-${String(i).padStart(6, '0')}`;
    const folder = modality.toLowerCase().replace(/[^a-z]/g, '');
    const image = `Images/Phantom ${folder}/${id}.png`;
    yield {
      question: {
        id,
        images: [image],
        ...asked,
        modality,
        question_type: type,
        dataset: `Phantom ${folder}`,
      },
      facts: { ...factsOf(subject), image, modality, topic, difficulty },
      draw() {
        const factor = size <= SUPERSAMPLED ? 2 : 1;
        const texture = new Random(seed, 'phantom texture', i);
        return toPicture(
          subject.composition.paint(size * factor, subject.plan, LOOKS[difficulty], texture),
          size,
        );
      },
    };
  }
}

/** A picture and its question, decided by one stream of random numbers, and worded by another. */
function withOptions(
  type: QuestionType,
  modality: Modality,
  wording: Wording,
  random: Random,
  words: Random,
) {
  const topic = topicOf(type, modality, random, wording === 'short');
  const subject = subjectFor(topic, modality, random);
  return { topic, subject, asked: ask(topic, subject, wording, words) };
}

function openly(type: QuestionType, modality: Modality, wording: Wording, random: Random, words: Random) {
  const topic = openTopicOf(type);
  const subject = subjectFor(topic, modality, random);
  return { topic, subject, asked: askOpen(topic, subject, wording, words) };
}

function factsOf({ scene, composition, plan, size, quadrant }: Subject) {
  const round = (value: number) => Math.round(value * 1e4) / 1e4;
  return {
    anatomy: scene.anatomy,
    finding: plan.finding?.name ?? null,
    lesions: plan.lesions.map(({ x, y, radius }) => ({
      x: round(x),
      y: round(y),
      diameter: round(2 * radius),
    })),
    size: size ?? null,
    quadrant: quadrant ?? null,
    grade: plan.grade ?? null,
    side: plan.side ?? null,
    attributes: composition.attributes,
  };
}
