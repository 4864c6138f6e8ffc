/** Mutated dataset files, and what must hold of whatever a reader makes of them. */
import { writtenAnswer } from './answers/open.js';
import { isConversation } from './conversation.js';
import { readDataset } from './dataset.js';
import { DataError } from './errors.js';
import { pathProblem } from './images.js';
import { Random } from './random.js';
import type { Sample } from './readers/schemas.js';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';

function jsonl(records: readonly unknown[]): Uint8Array {
  return new TextEncoder().encode(records.map((record) => JSON.stringify(record)).join('\n'));
}

function json(records: readonly unknown[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(records, null, 1));
}

const numbers = Array.from({ length: 12 }, (_, i) => i);

async function parquet(): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const column = (name: string, data: unknown[], type: 'STRING' | 'JSON' | 'BYTE_ARRAY') => ({
    name,
    data,
    type,
  });
  const bytes = Uint8Array.from(atob(PNG), (char) => char.charCodeAt(0));
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        column(
          'id',
          numbers.map((i) => `p${i}`),
          'STRING',
        ),
        column(
          'image',
          numbers.map(() => bytes),
          'BYTE_ARRAY',
        ),
        column(
          'question',
          numbers.map((i) => `What is ${i}?`),
          'STRING',
        ),
        column(
          'options',
          numbers.map((i) => ({ A: `a ${i}`, B: 'b' })),
          'JSON',
        ),
        column(
          'answer',
          numbers.map((i) => 'AB'[i % 2]),
          'STRING',
        ),
      ],
    }),
  );
}

/** A well-formed small file of each format; the name decides how it is read. */
export const READER_SEEDS: Readonly<Record<string, () => Promise<Uint8Array> | Uint8Array>> = {
  'osler.jsonl': () =>
    jsonl(
      numbers.map((id) => ({
        id,
        image: `i/${id}.png`,
        question: `Q ${id}?`,
        options: { A: 'x', B: 'y' },
        answer: 'B',
      })),
    ),
  'omnimedvqa.json': () =>
    json(
      numbers.map((i) => ({
        question_id: `q${i}`,
        image_path: `Images/${i}.png`,
        question: 'What is it?',
        gt_answer: 'Cyst',
        option_A: 'Tumour',
        option_B: 'Cyst',
        question_type: 'Disease Diagnosis',
        modality_type: 'CT',
      })),
    ),
  'CT_train.json': () =>
    json(
      numbers.map((i) => ({
        image: `Images/a/${i}.png`,
        problem: `Is it ${i}? A)yes, B)no`,
        solution: '<answer> A </answer>',
      })),
    ),
  'messages.jsonl': () =>
    jsonl(
      numbers.map((i) => ({
        messages: [
          { role: 'user', content: `<image>\nWhat is ${i}? A)x, B)y` },
          { role: 'assistant', content: '<think>r</think><answer>B</answer>' },
        ],
        images: [`${i}.png`],
      })),
    ),
  'gmai.jsonl': () =>
    jsonl(
      numbers.map((i) => ({
        image: `gmai-reasoning10k/2d/cls/ct/${i}.png`,
        conversations: [
          { from: 'human', value: `<image>\nWhat is ${i}?\nA. x\nB. y` },
          { from: 'gpt', value: 'A' },
        ],
      })),
    ),
  'medxpertqa.jsonl': () =>
    jsonl(
      numbers.map((i) => ({
        id: `MM-${i}`,
        question: 'Q?\nAnswer Choices: (A) x (B) y',
        options: { A: 'x', B: 'y' },
        label: 'A',
        images: [`MM-${i}.jpeg`],
        body_system: 'Skeletal',
      })),
    ),
  'mmmu.jsonl': () =>
    jsonl(
      numbers.map((i) => ({
        id: `test_Pharmacy_${i}`,
        question: `<image 1> Q ${i}`,
        options: "['a', 'b\\'s', 'c']",
        answer: 'B',
        image_1: `${i}.png`,
      })),
    ),
  'gmai-mmbench.tsv': () =>
    new TextEncoder().encode(
      [
        'index\timage\tquestion\tA\tB\tanswer\tcategory',
        ...numbers.map((i) => `${i}\t${PNG}\t"What ""is"" ${i}?"\tx\ty\tB\tk`),
      ].join('\n'),
    ),
  'open.jsonl': () =>
    jsonl(
      numbers.map((i) => ({
        image: `${i}.png`,
        question: 'Q?',
        ...[{ answers: ['x', `y ${i}`] }, { answer: i, tolerance: 0.5 }, { bbox: [[0, i, 9, 99]] }][i % 3],
      })),
    ),
  'annotation.json': () =>
    new TextEncoder().encode(
      JSON.stringify({
        train: numbers.map((i) => ({
          id: `t${i}`,
          report: `R ${i}`,
          image_path: [`${i}/0.png`, `${i}/1.png`],
        })),
        test: [{ id: 'e', report: 'R', image_path: ['e.png'] }],
      }),
    ),
  'pmc-vqa.csv': () =>
    new TextEncoder().encode(
      [
        'Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label',
        ...numbers.map((i) => `${i}.jpg,"What, ""then"" ${i}?",x, A:x, B:y, C:z, D:w,A`),
      ].join('\n'),
    ),
  'questions.parquet': parquet,
};

/** Reads mutations of a format's seed until so many bytes have been read; throws where a reader breaks its promises. */
export async function fuzzReader(
  name: string,
  options: { readonly bytes: number; readonly seed: number },
): Promise<{ inputs: number; samples: number; problems: number; slowest: number }> {
  const seed = await (READER_SEEDS[name] as () => Promise<Uint8Array> | Uint8Array)();
  const random = new Random(options.seed, name);
  const total = { inputs: 0, samples: 0, problems: 0, slowest: 0 };
  for (let read = 0; read < options.bytes; total.inputs++) {
    const input = mutate(seed, random);
    read += input.length;
    const start = performance.now();
    try {
      const { samples, problems } = await readDataset(input, name, { limits: { seconds: 1 } });
      for (const sample of samples) assertSound(sample);
      total.samples += samples.length;
      total.problems += problems.length;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      total.problems++;
    }
    total.slowest = Math.max(total.slowest, performance.now() - start);
  }
  return total;
}

/** What every sample promises, whatever file it came from. */
export function assertSound(sample: Sample): void {
  const bad = (what: string) => new Error(`unsound sample, ${what}: ${JSON.stringify(sample).slice(0, 500)}`);
  if (typeof sample.id !== 'string') throw bad('id');
  for (const image of sample.images) {
    if (typeof image === 'string' ? pathProblem(image) !== undefined : image.bytes.length === 0)
      throw bad('image');
  }
  if (isConversation(sample)) {
    if (sample.messages.length === 0) throw bad('messages');
    return;
  }
  if (sample.question.trim() === '') throw bad('question');
  const letters = Object.keys(sample.options);
  if (sample.open !== undefined) {
    if (letters.length > 0 || sample.answer !== writtenAnswer(sample.open)) throw bad('open answer');
    if (sample.answer.trim() === '') throw bad('empty answer');
    return;
  }
  if (letters.length < 2 || !letters.every((letter) => /^[A-Z]$/.test(letter))) throw bad('options');
  if (!letters.every((letter) => (sample.options[letter] as string).trim() !== '')) throw bad('empty option');
  if (!Object.hasOwn(sample.options, sample.answer)) throw bad('answer');
}

const TOKENS = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\t',
  '\n',
  '\\',
  '..',
  '/',
  'null',
  '1e999',
  "'",
  '\0',
  '<image>',
  '<answer>',
  '\u00ff',
];

/** One to six random damages: flipped bytes, cut, doubled or swapped ranges, inserted tokens. */
function mutate(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = Array.from(seed);
  for (let k = random.below(6) + 1; k > 0 && bytes.length > 0; k--) {
    const at = random.below(bytes.length);
    const size = Math.min(bytes.length - at, 1 + random.below(random.pick([4, 40, 400])));
    switch (random.below(5)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes.splice(at, size);
        break;
      case 2:
        bytes.splice(at, 0, ...bytes.slice(at, at + size));
        break;
      case 3:
        bytes.splice(at, 0, ...new TextEncoder().encode(random.pick(TOKENS)));
        break;
      default:
        if (random.below(4) === 0) bytes = bytes.slice(0, at);
        else bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    }
  }
  return Uint8Array.from(bytes);
}
