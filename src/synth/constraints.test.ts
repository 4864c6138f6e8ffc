import { describe, expect, test } from 'vitest';
import type { Question } from '../data/index.js';
import { brokenConstraint, type ConstraintSettings } from './constraints.js';
import { NearDuplicates } from './near-duplicates.js';
import { readCandidate, stepsOf, wordsOf } from './reading.js';
import { contradictionIn, verdictsIn } from './verdicts.js';

const QUESTION: Question = {
  id: 'q1',
  images: [],
  question: 'What is the most likely finding?',
  options: { A: 'Simple cyst', B: 'Solid mass', C: 'Abscess', D: 'No abnormality' },
  answer: 'B',
};
const SETTINGS: ConstraintSettings = { minSteps: 3, minWords: 12, maxWords: 60 };

const GOOD =
  'The lesion has a density above that of water. It takes up contrast in its whole extent. ' +
  'A simple cyst would not do so, and there is no rim of an abscess. Hence it is a solid mass.';

function judged(text: string, finish = 'stop') {
  return brokenConstraint(readCandidate(QUESTION, { id: 'q1', sample: 0, text, finish }), SETTINGS);
}
const think = (reasoning: string, answer = 'B') =>
  `<think>${reasoning}</think>\n<answer> ${answer} </answer>`;

describe('each constraint and its cause', () => {
  test('sound reasoning passes, the answer as letter, text or both', () => {
    expect(judged(think(GOOD))).toBeUndefined();
    expect(judged(think(GOOD, 'solid mass'))).toBeUndefined();
    expect(judged(think(GOOD, 'B) Solid mass'))).toBeUndefined();
    expect(judged(think(GOOD.replace('a solid mass', 'option B')))).toBeUndefined();
  });

  test.each([
    ['cut_off', think(GOOD), 'length'],
    ['malformed', GOOD],
    ['malformed', `The answer is B. ${think(GOOD)}`],
    ['malformed', `${think(GOOD)} I hope this helps.`],
    ['malformed', `${think(GOOD)}<answer>C</answer>`],
    ['malformed', `<answer>B</answer><think>${GOOD}</think>`],
    ['malformed', think(`${GOOD}</think><think>again`)],
    ['unreadable_answer', think(GOOD, 'B or C')],
    ['unreadable_answer', think(GOOD, 'E')],
    ['unreadable_answer', think(GOOD, 'A) Solid mass')],
    ['wrong_answer', think(GOOD.replace('a solid mass', 'an abscess'), 'C')],
    ['too_short', think('It is a solid mass.')],
    ['too_long', think(`${GOOD} ${'It is bright here. '.repeat(20)}So it is a solid mass.`)],
    [
      'too_few_steps',
      think('The bright lesion of high density in the middle takes up contrast, hence it is a solid mass.'),
    ],
    ['leaked_answer', think(`The answer is B. ${GOOD}`)],
    ['leaked_answer', think(`Solid mass is the correct answer. ${GOOD}`)],
    ['leaked_answer', think(`The lesion is bright. The given answer fits it. ${GOOD}`)],
    ['leaked_answer', think(`${GOOD} This agrees with the ground truth. So it is a solid mass.`)],
    [
      'contradiction',
      think(`${GOOD} A solid mass is ruled out by its smooth wall. Still it must be solid mass.`),
    ],
    ['contradiction', think(`It is bright and large. Abscess is the correct answer by its rim. ${GOOD}`)],
    ['other_conclusion', think(GOOD.replace('a solid mass', 'an abscess'))],
    [
      'other_conclusion',
      think('It is bright and large. It lies next to the vessel. Its border is sharp and it is round.'),
    ],
  ])('%s: %s', (cause, text, finish = 'stop') => {
    expect(judged(text, finish)?.cause).toBe(cause);
  });
});

describe('verdicts', () => {
  const said = (text: string) =>
    verdictsIn(text, QUESTION.options).map((verdict) => `${verdict.for ? '+' : '-'}${verdict.letter}`);

  test.each([
    ['Option A is incorrect.', ['-A']],
    ['(C) can be excluded, since there is no rim.', ['-C']],
    ['We rule out abscess.', ['-C']],
    ['A simple cyst does not fit this density.', ['-A']],
    ['The correct answer is B.', ['+B']],
    ['Therefore B) Solid mass is the correct option.', ['+B']],
    ['A solid mass seems likely at first.', []],
    ['It is not true that abscess is correct.', []],
    ['If the cyst wall were thick, abscess is correct.', []],
    ['Abscess is wrong. Solid mass is right.', ['-C', '+B']],
    ['A lesion like this is wrong to ignore.', []],
  ])('%s', (text, expected) => expect(said(text)).toEqual(expected));

  test('contradict each other or the answer', () => {
    const find = (text: string) => contradictionIn(verdictsIn(text, QUESTION.options), 'B');
    expect(find('Abscess is wrong. Solid mass is right.')).toBeUndefined();
    expect(find('Solid mass is wrong.')).toBe('answers B, of which it says: Solid mass is wrong.');
    expect(find('Solid mass is right. Abscess is right.')).toContain('but of C it says');
  });
});

test('steps are sentences that say something', () => {
  expect(wordsOf('T2-weighted, 3.5 cm; it’s “round”.')).toEqual([
    'T2-weighted',
    '3.5',
    'cm',
    'it’s',
    'round',
  ]);
  const { sentences } = readCandidate(QUESTION, {
    id: '',
    sample: 0,
    text: think(`Hm. ${GOOD}`),
    finish: 'stop',
  });
  expect(stepsOf({ sentences })).toBe(4);
});

describe('near-duplicates', () => {
  test('a few other words make a duplicate, another argument does not', () => {
    const known = new NearDuplicates(0.7);
    expect(known.find(GOOD)).toBeUndefined();
    known.add('first', GOOD);
    expect(known.find(GOOD.toUpperCase().replaceAll('.', ' .'))).toEqual({ name: 'first', similarity: 1 });
    expect(known.find(GOOD.replace('above', 'over'))).toMatchObject({ name: 'first' });
    expect(known.find(GOOD.split('. ').reverse().join('. '))?.similarity ?? 0).toBeLessThan(1);
    expect(
      known.find('The wall is thick and enhances. The centre is fluid. Hence it is an abscess.'),
    ).toBeUndefined();
  });

  test('finds what a comparison of all with all finds, among thousands', () => {
    const known = new NearDuplicates(0.8);
    const text = (i: number, changed = '') =>
      Array.from({ length: 80 }, (_, k) =>
        k === 40 && changed ? changed : `w${(i * 7919 + k * k * 31) % 5003}`,
      ).join(' ');
    for (let i = 0; i < 2000; i++) known.add(String(i), text(i));
    for (let i = 0; i < 2000; i += 50) expect(known.find(text(i, 'other'))?.name).toBe(String(i));
    expect(known.find(text(5000))).toBeUndefined();
  });
});
