/** What the demo learns from and is examined on: phantom pictures, drawn anew on every machine. */
import { loadDataset, MODALITIES, type Modality, type Question, questionsOf, Random } from '../data/index.js';
import type { PhantomOptions } from '../data/phantom/phantom.js';
import { writePhantom } from '../data/phantom/write.js';
import { atomicWrite } from '../io/atomic.js';
import { join } from '../io/data-files.js';
import { carefulNote, mixedNotes, type Note, type Wording } from './readers.js';

/** No training of the demo, that of the shipped checkpoint included, sees a picture of this modality. */
export const UNSEEN: Modality = 'Dermoscopy';
/** Share of hasty notes among those that the checkpoint has learned from. */
export const HASTY_SHARE = 0.7;

const SEEN = MODALITIES.filter((modality) => modality !== UNSEEN);
const LOOK = { size: 84, difficulty: 'easy', wording: 'short' } as const;

/** Numbers of questions; with those of the modality never trained on, about 700 pictures. */
const COUNTS = { train: 420, test: 210, unseen: 100 } as const;
/** Questions behind the checkpoint. */
const TAUGHT = 8000;

/** Files with questions, all in folders of their own beside the pictures. */
export interface DemoData {
  /** New questions of the modalities that the checkpoint knows. */
  readonly train: string;
  /** The same questions with notes of both readers. */
  readonly notes: string;
  /** For examination only. */
  readonly test: readonly Question[];
  readonly unseen: readonly Question[];
}

type Draw = (name: string, options: Pick<PhantomOptions, 'n' | 'seed' | 'modalities'>) => Promise<Question[]>;

/** Draws what GRPO and its control learn from and are examined on. */
export async function drawDemoData(
  dir: string,
  seed: number,
  wording: Wording,
  tell: (line: string) => void,
): Promise<DemoData> {
  const draw = drawing(dir, tell);
  const train = await draw('train', { n: COUNTS.train, seed: 1000 + seed, modalities: SEEN });
  const notes = mixedNotes(train, wording, HASTY_SHARE, new Random(seed, 'demo notes'));
  await draw('test', { n: COUNTS.test, seed: 2000 + seed, modalities: SEEN });
  await draw('unseen', { n: COUNTS.unseen, seed: 3000 + seed, modalities: [UNSEEN] });
  return {
    train: join(dir, 'train', 'questions.jsonl'),
    notes: await writeNotes(join(dir, 'train', 'notes.jsonl'), notes),
    test: await readQuestions(dir, 'test'),
    unseen: await readQuestions(dir, 'unseen'),
  };
}

/** Files behind the shipped checkpoint. */
export interface Lessons {
  /** Notes of the careful reader, from which a fresh model learns to see and to reason. */
  readonly careful: string;
  /** Notes of both, as `HASTY_SHARE` mixes them. */
  readonly mixed: string;
  /** All words, for the tokenizer. */
  readonly words: readonly string[];
}

/** Draws what the checkpoint learned from. */
export async function drawLessons(
  dir: string,
  wording: Wording,
  tell: (line: string) => void,
): Promise<Lessons> {
  const questions = await drawing(dir, tell)('lessons', { n: TAUGHT, seed: 11, modalities: SEEN });
  const careful = questions.map((question) => carefulNote(question, wording));
  const mixed = mixedNotes(questions, wording, HASTY_SHARE, new Random(11, 'demo notes'));
  return {
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
