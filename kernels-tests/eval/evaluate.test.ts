import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadDataset, type Question, questionsOf } from '../../src/data/index.js';
import { type Examinee, evaluateModel } from '../../src/eval/evaluate.js';
import { Generator } from '../../src/generate/index.js';
import type { Model } from '../../src/models/core/model.js';
import { initModel, loadModel } from '../../src/models/index.js';
import { loadProcessor, PromptEncoder } from '../../src/models/processor/index.js';
import { writePhantom } from '../../src/phantom/write.js';
import { testGpu } from '../support/gpu.js';

let dir = '';
let model: Model;
let examinee: Examinee & { generator: Generator };
let questions: Question[];

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'osler-evaluate-'));
  const folder = path.join(dir, 'model');
  await initModel(folder, { arch: 'tiny', seed: 1 });
  await writePhantom(path.join(dir, 'data'), { n: 10, seed: 2, size: 56, wording: 'short' });
  questions = questionsOf((await loadDataset(path.join(dir, 'data', 'questions.jsonl'))).samples).questions;
  model = await loadModel(await testGpu(), folder);
  const processor = await loadProcessor(folder, model.config);
  const generator = new Generator(model, { tokenizer: processor.tokenizer, maxBatch: 8 });
  examinee = { generator, encoder: new PromptEncoder(model.config, processor) };
});

afterAll(async () => {
  await examinee?.generator.dispose();
  model?.dispose();
  rmSync(dir, { recursive: true, force: true });
});

it('asks every question and gives the same answers again', async () => {
  const options = { style: 'no-think', maxNewTokens: 6 } as const;
  const drawn: number[] = [];
  const first = await evaluateModel(examinee, questions, {
    ...options,
    onAnswer: (_question, _prompt, { tokenIds }) => void drawn.push(tokenIds.length),
  });
  expect(drawn).toEqual(first.predictions.map(({ token_count }) => token_count));
  expect(first.predictions.map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
  for (const prediction of first.predictions) {
    expect(prediction.token_count).toBeLessThanOrEqual(6);
    expect(prediction.prompt).toContain('<answer>...</answer>');
  }
  expect(first.tables).toMatchObject({
    questions: 10,
    completions: 10,
    settings: { style: 'no-think', samples: 1 },
  });
  expect((await evaluateModel(examinee, questions, options)).predictions).toEqual(first.predictions);
});

it('samples as often as asked, reproducibly by seed, and not at temperature 0', async () => {
  const options = { samples: 3, temperature: 1, maxNewTokens: 5, seed: 4 };
  const sampled = await evaluateModel(examinee, questions.slice(0, 4), options);
  expect(sampled.predictions.map(({ sample }) => sample)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
  expect(new Set(sampled.predictions.map(({ completion }) => completion)).size).toBeGreaterThan(6);
  const texts = (of: typeof sampled) => of.predictions.map(({ completion }) => completion);
  expect(texts(await evaluateModel(examinee, questions.slice(0, 4), options))).toEqual(texts(sampled));
  expect(texts(await evaluateModel(examinee, questions.slice(0, 4), { ...options, seed: 5 }))).not.toEqual(
    texts(sampled),
  );
  await expect(evaluateModel(examinee, questions, { samples: 2 })).rejects.toThrow('temperature above 0');
});
