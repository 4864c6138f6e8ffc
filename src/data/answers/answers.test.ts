import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boxesIn, boxesIou, iou } from './boxes.js';
import { type Gradable, gradeAnswer } from './grade.js';
import { numberIn } from './numbers.js';
import type { OpenAnswer } from './open.js';
import { expectedOpen } from './record.js';
import { bleu, rougeL, sameWords, tokenF1 } from './words.js';

const open = (answer: OpenAnswer): Gradable => expectedOpen(answer);
const text = open({ kind: 'text', accepted: ['Pleural effusion', 'hydrothorax'] });
const grade = (question: Gradable, answer: string) => gradeAnswer(question, `<answer>${answer}</answer>`);

describe('texts', () => {
  it('are compared as by the formulas in float64', () => {
    const url = new URL('../fixtures/text-scores.json', import.meta.url);
    const rows = JSON.parse(readFileSync(url, 'utf8')) as Record<string, string | number>[];
    expect(rows.length).toBeGreaterThan(40);
    for (const { said, wanted, ...expected } of rows) {
      const [a, b] = [said as string, wanted as string];
      const found = { f1: tokenF1(a, b), rouge_l: rougeL(a, b), bleu: bleu(a, b) };
      for (const [name, value] of Object.entries(found)) {
        expect(value, `${name} of ${a} against ${b}`).toBeCloseTo(expected[name] as number, 12);
      }
    }
  });

  it.each([
    ['The pleural effusion.', true, 1],
    ['HYDROTHORAX', true, 1],
    ['effusion', false, 2 / 3],
    ['none', false, 0],
    ['  ', false, 0],
  ])('%j', (answer, correct, f1) => {
    const found = grade(text, answer);
    expect(found.correct).toBe(correct);
    expect(found.scores.f1).toBeCloseTo(f1, 12);
    expect(found.scores.exact).toBe(Number(correct));
  });

  it('keep what tells numbers apart', () => {
    expect(sameWords('3.5 cm', '35 cm')).toBe(false);
    expect(sameWords('> 5 cm', '< 5 cm')).toBe(false);
    expect(sameWords("Crohn's disease", 'crohns disease')).toBe(true);
  });
});

describe('tags', () => {
  it('are wanted once, or may be missing', () => {
    expect(gradeAnswer(text, 'hydrothorax')).toMatchObject({
      said: null,
      how: 'no answer tags',
      correct: false,
    });
    const twice = '<answer>hydrothorax</answer><answer>x</answer>';
    expect(gradeAnswer(text, twice)).toMatchObject({ said: null, correct: false, scores: { f1: 0 } });
    const loose = (completion: string) => gradeAnswer(text, completion, { tags: 'optional' }).correct;
    expect(loose('<think>effusion?</think> hydrothorax')).toBe(true);
    expect(loose('The answer is hydrothorax.')).toBe(true);
    expect(loose('We get \\boxed{hydrothorax}')).toBe(true);
  });
});

describe('numbers', () => {
  it.each([
    ['about 4.2 mm', { value: 4.2 }],
    ['0.42 cm', { value: 4.2 }],
    ['4,2', { value: 4.2 }],
    ['1,200', { value: 1200 }],
    ['−3', { value: -3 }],
    ['two', { value: 2 }],
    ['between 4 and 5', { problem: 'several numbers' }],
    ['4 kg', { problem: 'in kg instead of mm' }],
    ['none', { problem: 'no number' }],
  ])('%j', (said, found) => {
    expect(numberIn(said, 'mm')).toEqual(found);
  });

  it('may be off by the tolerance', () => {
    const question = open({ kind: 'number', value: 0.3, tolerance: 0.1, unit: 'mm' });
    expect(['0.2', '0.4 mm', '0.41', '0.04 cm'].map((said) => grade(question, said).correct)).toEqual([
      ...[true, true, false, true],
    ]);
  });
});

describe('boxes', () => {
  it.each([
    ['[1, 2, 3.5, 4]', [[1, 2, 3.5, 4]]],
    [
      '{"bbox_2d": [1,2,3,4]}, {"bbox_2d": [5,6,7,8]}',
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
    ],
    ['(1,2),(3,4)', [[1, 2, 3, 4]]],
    ['1 2 3 4', [[1, 2, 3, 4]]],
    ['[3, 2, 1, 4]', []],
    ['[1, 2, 3]', []],
  ])('%j', (said, boxes) => {
    expect(boxesIn(said)).toEqual(boxes);
  });

  it('share what they share, and too many cost as much as too few', () => {
    expect(iou([0, 0, 2, 2], [1, 1, 3, 3])).toBeCloseTo(1 / 7, 12);
    expect(
      boxesIou(
        [[0, 0, 2, 2]],
        [
          [0, 0, 2, 2],
          [4, 4, 5, 5],
        ],
      ),
    ).toBe(0.5);
    expect(
      boxesIou(
        [
          [9, 9, 10, 10],
          [0, 0, 2, 2],
        ],
        [[0, 0, 2, 2]],
      ),
    ).toBe(0.5);
    const question = open({ kind: 'boxes', boxes: [[0, 0, 10, 10]] });
    expect(grade(question, '[0, 0, 10, 6]')).toMatchObject({ correct: true, scores: { iou: 0.6 } });
    expect(grade(question, 'left')).toMatchObject({ said: null, how: 'no box', correct: false });
  });
});

it('reports are compared, and neither right nor wrong', () => {
  const question = open({ kind: 'report', reference: 'No acute disease.' });
  expect(grade(question, 'no acute disease')).toMatchObject({
    correct: null,
    scores: { bleu: 1, rouge_l: 1, f1: 1 },
  });
  expect(grade(question, '')).toMatchObject({ said: null, scores: { bleu: 0, rouge_l: 0, f1: 0 } });
});
