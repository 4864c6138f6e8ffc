/** `osler data stats`, `convert` and `split` on a small folder of questions with pictures. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDataset, type Question } from '../data/index.js';
import { UsageError } from './common.js';
import { data } from './data.js';
import { runCommand } from './test-run.js';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);
let dir = '';
let file = '';

/** 20 questions, two about each of 10 pictures: 12 of CT, 8 of MRI; a third are answered by B, the others by A. */
const questions = Array.from({ length: 20 }, (_, i) => ({
  id: `q${i}`,
  image: `pictures/${i >> 1}.png`,
  question: `What is ${i}?`,
  options: { A: `yes ${i}`, B: `no ${i}`, ...(i < 4 ? { C: 'maybe', D: 'never' } : {}) },
  answer: i % 3 === 0 ? 'B' : 'A',
  modality: i < 12 ? 'CT' : 'MRI',
  question_type: i % 2 ? 'Disease Diagnosis' : 'Anatomy Identification',
  ...(i % 5 === 0 ? { review: { by: ['a', i], sure: i > 5 } } : {}),
}));

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'osler-data-'));
  mkdirSync(path.join(dir, 'pictures'));
  for (let i = 0; i < 10; i++) writeFileSync(path.join(dir, 'pictures', `${i}.png`), PNG);
  file = path.join(dir, 'all.jsonl');
  const bad =
    '{"id": "bad", "image": "pictures/0.png", "question": "?", "options": {"A": "x"}, "answer": "A"}';
  writeFileSync(file, [...questions.map((question) => JSON.stringify(question)), bad].join('\n'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function read(written: string): Promise<Question[]> {
  return (await loadDataset(written, { strict: true })).samples as Question[];
}

describe('osler data stats', () => {
  it('counts, with the baselines of guessing', async () => {
    const { out, err, exitCode } = await runCommand(data, 'data', 'stats', file);
    const rows = out.split('\n').map((line) => line.split(/ {2,}/));
    // 16 questions of two options and 4 of four: (16 / 2 + 4 / 4) / 20 = 45% by chance.
    expect(rows).toContainEqual(['all', '20', '10', '45.0%', '65.0%', 'A']);
    expect(rows).toContainEqual(['CT', '12', '6', '41.7%', '66.7%', 'A']);
    expect(rows).toContainEqual(['MRI', '8', '4', '50.0%', '62.5%', 'A']);
    expect(out).toContain('questions by number of options: 16 with 2, 4 with 4');
    expect(err).toMatch(/^1 record is left out:\n.*all\.jsonl:21:options/);
    expect(exitCode).toBe(0);
  });

  it('finds pictures that cannot be used, and fails', async () => {
    const other = path.join(dir, 'broken.jsonl');
    writeFileSync(path.join(dir, 'pictures', 'broken.png'), 'no picture');
    execFileSync('mkfifo', [path.join(dir, 'pictures', 'pipe.png')]);
    const lines = ['0', 'broken', 'absent', 'pipe'].map((name, i) =>
      JSON.stringify({ ...questions[i], image: `pictures/${name}.png` }),
    );
    writeFileSync(other, lines.join('\n'));
    const { out, exitCode } = await runCommand(data, 'data', 'stats', other, '--check-images', '--json');
    const { badImages } = JSON.parse(out) as { badImages: string[] };
    expect(badImages).toEqual([
      expect.stringContaining('broken.png'),
      expect.stringMatching(/absent\.png does not exist/),
      expect.stringMatching(/pipe\.png is not a regular file/),
    ]);
    expect(exitCode).toBe(1);
  });
});

describe('osler data convert', () => {
  it('writes Parquet and back what was there', async () => {
    const parquet = path.join(dir, 'all.parquet');
    const { out } = await runCommand(data, 'data', 'convert', file, '--out', parquet);
    expect(out).toBe(`${parquet}: 20 questions`);
    const back = path.join(dir, 'back.jsonl');
    const { out: json } = await runCommand(data, 'data', 'convert', parquet, '--out', back, '--json');
    expect(JSON.parse(json)).toEqual({ out: back, questions: 20, problems: [] });
    const written = readFileSync(back, 'utf8').trim().split('\n');
    expect(written.map((line) => JSON.parse(line))).toEqual(questions);
  });

  it('filters, draws and shuffles options reproducibly', async () => {
    const make = async (name: string, seed: string) => {
      const out = path.join(dir, name);
      const filter = ['--modality', 'MRI', '--limit', '6', '--shuffle-options', '--seed', seed];
      await runCommand(data, 'data', 'convert', file, '--out', out, ...filter);
      return read(out);
    };
    const first = await make('mri.jsonl', '1');
    expect(first).toHaveLength(6);
    const by = new Map(questions.map((question) => [question.id, question]));
    for (const { id, modality, options, answer } of first) {
      const before = by.get(id);
      expect(modality).toBe('MRI');
      expect(options[answer]).toBe(before?.options[before.answer as 'A' | 'B']);
    }
    const strip = (all: Question[]) => all.map(({ source: _, ...rest }) => rest);
    expect(strip(await make('again.jsonl', '1'))).toEqual(strip(first));
    expect(strip(await make('other.jsonl', '2'))).not.toEqual(strip(first));
  });

  it('copies pictures to another folder only when told so', async () => {
    const out = path.join(dir, 'elsewhere', 'copy.jsonl');
    const convert = ['data', 'convert', file, '--out', out];
    await expect(runCommand(data, ...convert)).rejects.toThrow(/is not below .*--copy-images/);
    await runCommand(data, ...convert, '--copy-images');
    for (const { images } of await read(out))
      expect(readFileSync(path.join(dir, 'elsewhere', images[0] as string))).toEqual(PNG);
    await expect(runCommand(data, 'data', 'convert', file, '--out', 'x.csv')).rejects.toThrow(UsageError);
  });

  it.skipIf(process.platform === 'win32')(
    'copies no file from elsewhere, and names what it cannot copy',
    async () => {
      const trap = path.join(dir, 'trap');
      mkdirSync(trap);
      symlinkSync('/etc/hostname', path.join(trap, 'link.png'));
      for (const [image, problem] of [
        [
          'link.png',
          /link\.png, a picture of question t, is a link that leads out of .*trap; put the file there/,
        ],
        ['missing.png', /a picture of question t: .*missing\.png does not exist/],
      ] as const) {
        const records = path.join(trap, 'q.jsonl');
        writeFileSync(records, JSON.stringify({ ...questions[0], id: 't', image }));
        const out = path.join(dir, 'taken', 'q.jsonl');
        const convert = runCommand(data, 'data', 'convert', records, '--out', out, '--copy-images');
        await expect(convert).rejects.toThrow(problem);
        expect(existsSync(path.join(dir, 'taken', image))).toBe(false);
      }
    },
  );

  it('writes over a file only when told so', async () => {
    const out = path.join(dir, 'kept.jsonl');
    writeFileSync(out, 'the only copy');
    const convert = ['data', 'convert', file, '--out', out];
    await expect(runCommand(data, ...convert)).rejects.toThrow(/kept\.jsonl is there already.*--overwrite/);
    expect(readFileSync(out, 'utf8')).toBe('the only copy');
    await runCommand(data, ...convert, '--overwrite');
    expect(await read(out)).toHaveLength(20);
    await expect(runCommand(data, 'data', 'convert', file, '--out', `${file}/x.jsonl`)).rejects.toThrow(
      /all\.jsonl cannot be made, because part of its path is a file|all\.jsonl is a file, not a folder/,
    );
  });
});

describe('osler data split', () => {
  it('writes two sides that share no picture', async () => {
    const out = path.join(dir, 'split');
    const share = ['--test-share', '0.3', '--seed', '3', '--copy-images'];
    const { out: text, err } = await runCommand(data, 'data', 'split', file, '--out', out, ...share);
    expect(text).toBe(`14 questions to train on, 6 to test on, in ${out}\nno picture is on both sides`);
    expect(err).toContain('1 record is left out');
    const again = ['data', 'split', file, '--out', out, '--seed', '4', '--copy-images'];
    await expect(runCommand(data, ...again)).rejects.toThrow(/train\.jsonl is there already/);
    const [train, test] = [
      await read(path.join(out, 'train.jsonl')),
      await read(path.join(out, 'test.jsonl')),
    ];
    const seen = new Set(train.flatMap(({ images }) => images));
    expect(test.filter(({ images }) => images.some((image) => seen.has(image)))).toEqual([]);
    expect([...train, ...test].map(({ id }) => id).sort()).toEqual(questions.map(({ id }) => id).sort());
  });

  it('tells how much of a published test set is in training, and leaves it out', async () => {
    const [train, test] = [path.join(dir, 'train.jsonl'), path.join(dir, 'test.jsonl')];
    // The second question about the seventh picture, and eight that are about others.
    writeFileSync(
      train,
      questions
        .slice(0, 13)
        .map((question) => JSON.stringify(question))
        .join('\n'),
    );
    writeFileSync(
      test,
      questions
        .slice(13)
        .map((question) => JSON.stringify(question))
        .join('\n'),
    );
    const split = ['data', 'split', train, '--paper-split', test];
    const { out: text } = await runCommand(data, ...split);
    expect(text).toContain('1 test question (14.3%) about 1 picture of the training side');
    const { out: json } = await runCommand(data, ...split, '--drop-leaked', '--json');
    expect(JSON.parse(json)).toMatchObject({ train: 13, test: 6, leakage: { questions: 1, images: 1 } });
    await expect(runCommand(data, 'data', 'split', train, '--drop-leaked')).rejects.toThrow(UsageError);
  });
});
