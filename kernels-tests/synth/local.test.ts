/** Candidates from a model on this machine: a tiny one with random weights, which nothing can be accepted of. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadDataset, type Question, questionsOf } from '../../src/data/index.js';
import { type CandidateSource, LocalSource, type SynthOptions, synthesize } from '../../src/synth/index.js';
import { tinySession } from '../generate/session.js';

const JUDGE = {
  ...{ minSteps: 3, minWords: 20, maxWords: 400, keep: 1 },
  ...{ duplicateThreshold: 0.8, minPassRate: 0, maxPassRate: 1 },
};

let tiny: Awaited<ReturnType<typeof tinySession>>;
let questions: Question[];
let source: LocalSource;

beforeAll(async () => {
  tiny = await tinySession();
  const { dir, session } = tiny;
  await mkdir(join(dir, 'data'));
  await sharp({ create: { width: 56, height: 28, channels: 3, background: 'red' } })
    .png()
    .toFile(join(dir, 'data', 'red.png'));
  const lines = [{ image: 'red.png' }, { images: [] }, { image: 'missing.png' }].map((image, i) =>
    JSON.stringify({
      id: `q${i}`,
      ...image,
      question: 'Colour?',
      options: { A: 'red', B: 'blue' },
      answer: 'A',
    }),
  );
  await writeFile(join(dir, 'data', 'train.jsonl'), lines.join('\n'));
  questions = questionsOf((await loadDataset(join(dir, 'data', 'train.jsonl'))).samples).questions;
  const { generator, encoder } = session;
  if (!encoder) throw new Error('the tiny model has no tokenizer');
  source = new LocalSource({
    ...{ generator, encoder, model: 'tiny', template: '{Question}', system: 'x' },
    ...{ temperature: 1, topP: 1, maxNewTokens: 8, seed: 3, samples: 3 },
  });
});
afterAll(() => tiny.close());

const run = (name: string, from: CandidateSource = source, extra: Partial<SynthOptions> = {}) => {
  const { signal } = new AbortController();
  const options = { questions, samples: 3, judge: JUDGE, data: 'd', signal };
  return synthesize({ ...options, source: from, out: join(tiny.dir, name), ...extra });
};
const candidates = async (name: string) =>
  (await readFile(join(tiny.dir, name, 'candidates.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('a question whose picture is missing fails alone; equal seeds give equal candidates, resumed or not', async () => {
  const summary = await run('whole');
  expect(summary).toMatchObject({ questions: 3, candidates: 6, accepted: 0, failed: 3 });
  expect(summary.failures[0]).toContain('missing.png does not exist');
  expect(Object.values(summary.rejected).reduce((sum, n) => sum + n, 0)).toBe(6);
  const whole = await candidates('whole');
  expect(whole.map(({ id, sample }) => `${id}/${sample}`)).toEqual([
    'q0/0',
    'q0/1',
    'q0/2',
    'q1/0',
    'q1/1',
    'q1/2',
  ]);
  expect(new Set(whole.map(({ text }) => text)).size).toBeGreaterThan(1);

  // Stops after four candidates, in the middle of a question.
  const stopped: CandidateSource = {
    provenance: source.provenance,
    async *generate(tasks, signal) {
      let left = 4;
      for await (const candidate of source.generate(tasks, signal)) {
        if (left-- === 0) throw new Error('stopped by the test');
        yield candidate;
      }
    },
  };
  await expect(run('parts', stopped)).rejects.toThrow('stopped by the test');
  expect(await candidates('parts')).toHaveLength(4);
  await run('parts');
  expect(await candidates('parts')).toEqual(whole);
});
