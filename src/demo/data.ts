/** What the demo learns from and is examined on: phantom pictures, drawn anew on every machine. */
import { loadDataset, MODALITIES, type Modality, type Question, questionsOf, Random } from '../data/index.js';
import type { PhantomOptions } from '../phantom/phantom.js';
import { writePhantom } from '../phantom/write.js';
import { atomicWrite, join } from '../platform/files.js';
import { carefulNote, mixedNotes, type Note, type Wording } from './readers.js';

/**
 * The checkpoint has learned to see this modality, but neither GRPO nor its control trains on it: what they change there
 * has carried over, as in Med-R1's cross-modality experiments.
 */
export const HELD_OUT: Modality = 'Ultrasound';
/** Not even the checkpoint has seen a picture of this one. */
const UNKNOWN: Modality = 'MRI';
/** Share of hasty notes among those that the checkpoint has learned from. */
export const HASTY_SHARE = 0.7;

const TAUGHT = MODALITIES.filter((modality) => modality !== UNKNOWN);
const TRAINED = TAUGHT.filter((modality) => modality !== HELD_OUT);
const LOOK = { size: 84, difficulty: 'easy', wording: 'short' } as const;

/** Question types that are learned first. */
const EASY: ReadonlySet<string> = new Set(['Modality Recognition', 'Anatomy Identification']);

/** Numbers of questions, one picture each. */
const COUNTS = { train: 420, test: 210, heldOut: 100, lessons: 8000 } as const;
const SHORT_COUNTS: Record<keyof typeof COUNTS, number> = { train: 32, test: 14, heldOut: 10, lessons: 64 };

/** How much is drawn, and which. */
export interface DrawOptions {
  readonly seed: number;
  /** A little of everything, for a look at whether all works. */
  readonly short: boolean;
}

/** Files with questions, all in folders of their own beside the pictures. */
export interface DemoData {
  /** New questions of modalities that the checkpoint knows. */
  readonly train: string;
  /** The same questions with notes of both readers. */
  readonly notes: string;
  /** For examination only. */
  readonly test: readonly Question[];
  readonly heldOut: readonly Question[];
}

type Draw = (name: string, options: Pick<PhantomOptions, 'n' | 'seed' | 'modalities'>) => Promise<Question[]>;

/** Draws what GRPO and its control learn from and are examined on. */
export async function drawDemoData(
  dir: string,
  { seed, short }: DrawOptions,
  wording: Wording,
  tell: (line: string) => void,
): Promise<DemoData> {
  const counts = short ? SHORT_COUNTS : COUNTS;
  const draw = drawing(dir, tell);
  const train = await draw('train', { n: counts.train, seed: 1000 + seed, modalities: TRAINED });
  const notes = mixedNotes(train, wording, HASTY_SHARE, new Random(seed, 'demo notes'));
  await draw('test', { n: counts.test, seed: 2000 + seed, modalities: TRAINED });
  await draw('held-out', { n: counts.heldOut, seed: 3000 + seed, modalities: [HELD_OUT] });
  return {
    train: join(dir, 'train', 'questions.jsonl'),
    notes: await writeNotes(join(dir, 'train', 'notes.jsonl'), notes),
    test: await readQuestions(dir, 'test'),
    heldOut: await readQuestions(dir, 'held-out'),
  };
}

/** Files behind the shipped checkpoint. */
export interface Lessons {
  /** Notes of the careful reader, from which a fresh model learns to see and to reason. */
  readonly careful: string;
  /** His notes on the questions that take longer to learn, and some of the others. */
  readonly focus: string;
  /** Notes of both, as `HASTY_SHARE` mixes them. */
  readonly mixed: string;
  /** All words, for the tokenizer. */
  readonly words: readonly string[];
}

/** Draws what the checkpoint learned from. */
export async function drawLessons(
  dir: string,
  { short }: Pick<DrawOptions, 'short'>,
  wording: Wording,
  tell: (line: string) => void,
): Promise<Lessons> {
  const n = (short ? SHORT_COUNTS : COUNTS).lessons;
  const questions = await drawing(dir, tell)('lessons', { n, seed: 11, modalities: TAUGHT });
  const careful = questions.map((question) => carefulNote(question, wording));
  const mixed = mixedNotes(questions, wording, HASTY_SHARE, new Random(11, 'demo notes'));
  const focus = questions.filter(({ question_type: type }, i) => i % 4 === 0 || !EASY.has(type ?? ''));
  return {
    focus: await writeNotes(
      join(dir, 'lessons', 'focus.jsonl'),
      focus.map((question) => carefulNote(question, wording)),
    ),
    careful: await writeNotes(join(dir, 'lessons', 'careful.jsonl'), careful),
    mixed: await writeNotes(join(dir, 'lessons', 'mixed.jsonl'), mixed),
    words: questions.map(wordsOf),
  };
}

/** Names are put in quotes everywhere, so that an option and its mention become the same tokens. */
function wordsOf({ question, options, reasoning = '' }: Question): string {
  const names = Object.values(options).map((text) => `"${text}"`);
  return [question, ...names, '<think>', reasoning, '</think>\n<answer> </answer> At a glance.'].join(' ');
}

function drawing(dir: string, tell: (line: string) => void): Draw {
  return async (name, options) => {
    const start = performance.now();
    const questions = await writePhantom(join(dir, name), { ...LOOK, ...options });
    tell(`${questions.length} pictures for ${name} in ${seconds(start)} s`);
    return questions;
  };
}

async function writeNotes(file: string, notes: readonly Note[]): Promise<string> {
  await atomicWrite(file, `${notes.map((note) => JSON.stringify(note)).join('\n')}\n`);
  return file;
}

/** Questions as they are read back, which know where their pictures are. */
async function readQuestions(dir: string, name: string): Promise<Question[]> {
  const { samples } = await loadDataset(join(dir, name, 'questions.jsonl'), { strict: true });
  return questionsOf(samples).questions;
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}
