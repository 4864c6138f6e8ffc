/** Writes an evaluation that never happened, with pictures, for tests. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { writeEvaluation } from '../eval/files.js';
import { scoreCompletion } from '../eval/score.js';
import { summarize } from '../eval/summarize.js';
import type { EvalSettings } from '../eval/summary.js';

/** What it is like. */
export interface EvaluationShape {
  readonly questions: number;
  /** Answers per question; 1 by default. */
  readonly samples?: number;
  /** Replaces the first answer. */
  readonly firstText?: string;
  /** Words of reasoning in each other answer; 1 by default. */
  readonly words?: number;
}

/** Two modalities, two question types, three pictures; B is right, and every third question is answered so. */
export async function makeEvaluation(
  out: string,
  data: string,
  { questions, samples = 1, firstText, words = 1 }: EvaluationShape,
): Promise<void> {
  mkdirSync(data);
  for (let i = 0; i < 3; i++) {
    const create = { width: 64, height: 48, channels: 3 as const, background: { r: 80 * i, g: 20, b: 90 } };
    await sharp({ create })
      .png()
      .toFile(path.join(data, `${i}.png`));
  }
  writeFileSync(path.join(data, 'test.jsonl'), '');
  const predictions = Array.from({ length: questions * samples }, (_, at) => {
    const [i, sample] = [Math.floor(at / samples), at % samples];
    const reasoning = Array.from({ length: words }, (_, w) => `word${(at * 7919 + w * 104729) % 9973}`);
    const said = `<think>${reasoning.join(' ')}</think><answer>${i % 3 === 0 ? 'B' : 'A'}</answer>`;
    return scoreCompletion(
      {
        id: `q${i}`,
        images: [`${i % 3}.png`],
        question: `What is ${i}?`,
        options: { A: `none ${i}`, B: `one ${i}` },
        answer: 'B',
        modality: i % 2 === 0 ? 'CT' : 'MRI',
        question_type: i % 4 < 2 ? 'Disease Diagnosis' : 'Lesion Grading',
      },
      {
        prompt: `What is ${i}? A or B`,
        sample,
        completion: at === 0 ? (firstText ?? said) : said,
        tokenCount: 9,
        finishReason: 'stop',
      },
      'tagged',
    );
  });
  const settings: EvalSettings = {
    style: 'think',
    template: '{Question}',
    paper_reading: 'tagged',
    temperature: samples > 1 ? 1 : 0,
    top_p: 1,
    top_k: 0,
    samples,
    max_new_tokens: 16,
    seed: 0,
  };
  const tables = summarize(predictions, settings);
  const time = { seconds: 1, tokens: 9 * predictions.length, tokens_per_second: 9 };
  const subject = { model: '/srv/models/tiny', data: path.join(data, 'test.jsonl'), skipped: 0 };
  await writeEvaluation(out, { predictions, tables, time }, subject);
}
