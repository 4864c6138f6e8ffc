import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenAnswer } from '../data/answers/open.js';
import { expectedOpen } from '../data/answers/record.js';
import type { Question } from '../data/question.js';
import { compareEvaluations } from './compare.js';
import { readPredictions, readSummary, writeEvaluation } from './files.js';
import { heatMapPage, heatMapSvg, matrixMarkdown } from './heat-map.js';
import { generalizationMatrix } from './matrix.js';
import { scoreCompletion } from './score.js';
import { summarize } from './summarize.js';
import type { EvalSettings, EvalSummary, Prediction } from './summary.js';

const settings: EvalSettings = {
  style: 'think',
  template: '{Question}',
  paper_reading: 'tagged',
  temperature: 1,
  top_p: 1,
  top_k: 0,
  samples: 1,
  max_new_tokens: 16,
  seed: 0,
};

function question(id: string, modality: string, type: string, answer = 'A'): Question {
  return {
    id,
    images: ['a.png'],
    question: 'Q?',
    options: { A: 'one', B: 'two', C: 'three', D: 'four' },
    answer,
    modality,
    question_type: type,
  };
}

function answered(of: Question, completion: string, sample = 0, finishReason = 'stop'): Prediction {
  return scoreCompletion(
    of,
    { prompt: 'p', sample, completion, tokenCount: completion.length, finishReason },
    'tagged',
  );
}

const RIGHT = '<think>x</think><answer>A</answer>';
const LOOSE = 'The answer is A) one';
const WRONG = '<think>x</think><answer>B</answer>';

describe('summaries', () => {
  const predictions = [
    answered(question('1', 'CT', 'Disease Diagnosis'), RIGHT),
    answered(question('2', 'CT', 'Lesion Grading'), LOOSE),
    answered(question('3', 'MRI', 'Lesion Grading', 'B'), WRONG),
    answered(
      question('4', 'MRI', 'Lesion Grading', 'C'),
      '<answer>A</answer><answer>C</answer>',
      0,
      'length',
    ),
  ];
  const tables = summarize(predictions, settings);

  it('count both readings by cell, with what guessing would score', () => {
    expect(tables.robust).toMatchObject({ n: 4, correct: 3, accuracy: 0.75 });
    expect(tables.paper).toMatchObject({ n: 4, correct: 2 });
    expect(tables).toMatchObject({ random: 0.25, majority: 0.5, majority_letter: 'A' });
    expect(tables.by_modality.CT?.robust.accuracy).toBe(1);
    expect(tables.by_modality.CT?.paper.accuracy).toBe(0.5);
    expect(tables.matrix.MRI?.['Lesion Grading']?.robust).toMatchObject({ n: 2, correct: 1 });
    expect(tables.by_dataset.unknown?.robust.n).toBe(4);
    expect(tables.cells).toHaveLength(3);
    expect(tables.pass_at_k).toBeUndefined();
  });

  it('count tags and lengths', () => {
    expect(tables.tags).toMatchObject({
      paper_format: 0.5,
      one_answer_pair: 0.5,
      no_answer_tag: 0.25,
      several_answer_tags: 0.25,
      truncated: 0.25,
      no_answer: 0.25,
    });
    expect(tables.lengths).toMatchObject({ min: LOOSE.length, max: 36, mean_wrong: 36 });
  });

  it('of several samples: mean, pass@k and the vote', () => {
    const [a, b] = [question('a', 'CT', 'x'), question('b', 'CT', 'x')];
    const several = summarize(
      [
        ...[RIGHT, WRONG, RIGHT, RIGHT].map((text, i) => answered(a, text, i)),
        ...[WRONG, WRONG, RIGHT, 'nothing'].map((text, i) => answered(b, text, i)),
      ],
      { ...settings, samples: 4 },
    );
    expect(several.robust).toMatchObject({ n: 2, correct: 1, accuracy: 0.5 });
    expect(several.pass_at_k).toEqual({ 1: 0.5, 2: 0.75, 4: 1 });
    expect(several.majority_vote?.accuracy).toBe(0.5);
    expect(several.completions).toBe(8);
  });

  it('of open questions have their scores beside accuracy, and reports have nothing else', () => {
    const asked = (id: string, open: OpenAnswer): Question => ({
      ...question(id, 'CT', 'Open'),
      ...expectedOpen(open),
    });
    const name = asked('1', { kind: 'text', accepted: ['left lung'] });
    const place = asked('2', { kind: 'boxes', boxes: [[0, 0, 10, 10]] });
    const report = asked('3', { kind: 'report', reference: 'No acute disease.' });
    const said = (text: string) => `<answer>${text}</answer>`;
    const predictions = [
      answered(name, said('the left lung')),
      answered(name, said('lung'), 1),
      answered(place, said('[0, 0, 10, 4]')),
      answered(place, said('[0, 0, 10, 4]'), 1),
      answered(report, said('no disease')),
      answered(report, said('no acute disease'), 1),
    ];
    const summary = summarize(predictions, { ...settings, samples: 2 });
    expect(summary.robust).toMatchObject({ n: 2, correct: 0.5 });
    expect(summary.random).toBe(0);
    expect(summary.scores?.exact).toEqual({ n: 1, mean: 0.5 });
    expect(summary.scores?.iou).toEqual({ n: 1, mean: 0.4 });
    expect(summary.scores?.rouge_l).toEqual({ n: 1, mean: 0.9 });
    expect(summary.matrix.CT?.Open?.scores?.f1?.n).toBe(2);
    expect(summary.pass_at_k).toEqual({ 1: 0.25, 2: 0.5 });
    // Of equally common answers the first counts.
    expect(summary.majority_vote?.accuracy).toBe(0.5);
    expect(summary.tags.no_answer).toBe(0);
    const comparison = compareEvaluations(
      predictions.filter(({ id }) => id === '3'),
      [answered(report, said('no acute disease'))],
    );
    expect(comparison).toMatchObject({ n: 0, scores: { rouge_l: { n: 1, b: 1 } } });
    const matrix = generalizationMatrix([{ trained: 'CT', summary: summary as EvalSummary }], {
      domain: 'modality',
      reading: 'iou',
    });
    expect(matrix).toMatchObject({ values: [[0.4]], questions: [[1]] });
    expect(heatMapSvg(matrix)).toContain('iou in percent');
  });

  it('of nothing are zeros, not NaN', () => {
    expect(summarize([], settings).robust).toMatchObject({ n: 0, accuracy: 0, low: 0, high: 1 });
    expect(JSON.stringify(summarize([], settings))).not.toContain('NaN');
  });
});

describe('files', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'osler-eval-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('come back as they were written; others are refused', async () => {
    const predictions = [answered(question('1', 'CT', 'x'), RIGHT)];
    const evaluation = {
      predictions,
      tables: summarize(predictions, settings),
      time: { seconds: 1, tokens: 2, tokens_per_second: 2 },
    };
    const summary = await writeEvaluation(path.join(dir, 'e'), evaluation, {
      model: 'm',
      data: 'd',
      skipped: 1,
    });
    expect(await readSummary(path.join(dir, 'e'))).toEqual(summary);
    expect(await readPredictions(path.join(dir, 'e'))).toEqual(predictions);
    expect(readFileSync(path.join(dir, 'e', 'predictions.jsonl'), 'utf8').split('\n')).toHaveLength(2);
    writeFileSync(path.join(dir, 'other.json'), '{"format": "x"}');
    await expect(readSummary(path.join(dir, 'other.json'))).rejects.toThrow('not a summary of osler eval');
    await expect(readPredictions(path.join(dir, 'other.json'))).rejects.toThrow(
      'other.json:1:id is not a string',
    );
  });
});

it('comparisons pair questions and leave out what only one has', () => {
  const questions = ['1', '2', '3', '4'].map((id) => question(id, id < '3' ? 'CT' : 'MRI', 'x'));
  const evaluation = (texts: (string | undefined)[]) =>
    texts.flatMap((text, i) => (text === undefined ? [] : [answered(questions[i] as Question, text)]));
  const comparison = compareEvaluations(
    evaluation([WRONG, RIGHT, LOOSE, undefined]),
    evaluation([RIGHT, RIGHT, WRONG, RIGHT]),
  );
  expect(comparison).toMatchObject({ n: 3, only_a: 1, only_b: 1, p: 1, missing_in_a: 1, missing_in_b: 0 });
  expect(comparison.by_modality.CT).toMatchObject({ n: 2, a: 0.5, b: 1, delta: 0.5 });
  expect(compareEvaluations(evaluation([LOOSE]), evaluation([RIGHT]), 'paper')).toMatchObject({
    only_b: 1,
    delta: 1,
  });
});

describe('matrices', () => {
  const summary = (shares: Record<string, number>): EvalSummary =>
    ({
      by_modality: Object.fromEntries(
        Object.entries(shares).map(([name, accuracy]) => [name, { robust: { n: 10, accuracy } }]),
      ),
    }) as unknown as EvalSummary;
  const matrix = generalizationMatrix(
    [
      { trained: 'MRI', summary: summary({ CT: 0.4, MRI: 0.9, OCT: 0.2 }) },
      { trained: 'CT', summary: summary({ CT: 0.8, MRI: 0.6 }) },
    ],
    { domain: 'modality', base: summary({ CT: 0.3, MRI: 0.3, OCT: 0.3 }) },
  );

  it('have rows and columns in the order of the paper, and means on and off the diagonal', () => {
    expect(matrix.rows).toEqual(['CT', 'MRI']);
    expect(matrix.columns).toEqual(['CT', 'MRI', 'OCT']);
    expect(matrix.values).toEqual([
      [0.8, 0.6, null],
      [0.4, 0.9, 0.2],
    ]);
    expect(matrix.in_domain).toBeCloseTo(0.85, 12);
    expect(matrix.cross_domain).toBeCloseTo(0.4, 12);
    expect(matrix.generalization[1]).toBeCloseTo(0.3, 12);
  });

  it('are drawn with names escaped', () => {
    const evil = '<script>alert(1)</script>';
    const odd = generalizationMatrix([{ trained: evil, summary: summary({ [evil]: 0.5 }) }], {
      domain: 'modality',
    });
    for (const text of [heatMapSvg(odd), heatMapPage(odd)]) {
      expect(text).not.toContain('<script');
      expect(text).toContain('&lt;script&gt;');
    }
    expect(matrixMarkdown(matrix)).toContain('| CT | 80.0 | 60.0 |  | 60.0 |');
    expect(heatMapSvg(matrix)).toContain('+50.0');
  });
});
