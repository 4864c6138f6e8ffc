import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { answerIn, countTags, matchOption, statedAnswer } from './answer.js';
import { paperAccuracy, paperAnswer, paperFormat, paperRewardText } from './paper.js';

const options = { A: 'Lung', B: 'Liver', C: 'Kidney', D: 'Spleen, left' };

/** Completion, letter of the robust reading, Med-R1's reward for C, and what its evaluation extracts. */
const TABLE: readonly [string, string | undefined, 0 | 1, string | undefined][] = [
  ['<think>x</think><answer>C</answer>', 'C', 1, 'C'],
  ['<think>x</think>\n<answer> C </answer>', 'C', 1, 'C'],
  ['<answer>\nC\n</answer>', 'C', 0, 'C'],
  ['<answer>c</answer>', 'C', 0, 'c'],
  ['<answer>C)</answer>', 'C', 0, undefined],
  ['<answer>(C)</answer>', 'C', 0, undefined],
  ['<answer>C.</answer>', 'C', 0, undefined],
  ['<answer>C) Kidney</answer>', 'C', 0, undefined],
  ['<answer>C: kidney.</answer>', 'C', 0, undefined],
  ['<answer>Option C</answer>', 'C', 0, undefined],
  ['<answer>The correct answer is C</answer>', 'C', 0, undefined],
  ['<answer>kidney</answer>', 'C', 0, 'kidney'],
  ['<answer>**C**</answer>', 'C', 0, undefined],
  ['<answer>\\boxed{C}</answer>', 'C', 0, undefined],
  ['<answer>“Spleen,  LEFT”</answer>', 'D', 0, undefined],
  ['<answer>C) Liver</answer>', undefined, 0, undefined],
  ['<answer>B or C</answer>', undefined, 0, undefined],
  ['<answer>E</answer>', undefined, 0, 'E'],
  ['<answer></answer>', undefined, 0, undefined],
  ['<answer>C</answer><answer>C</answer>', undefined, 1, 'C'],
  ['<answer>A</answer> no, <answer>C</answer>', undefined, 0, 'A'],
  ['<answer>C', undefined, 0, undefined],
  ['</answer>C<answer>', undefined, 0, undefined],
  ['<ANSWER>C</ANSWER>', 'C', 0, undefined],
  ['C', undefined, 1, undefined],
  ['  C\n', undefined, 1, undefined],
  ['\u001cC\u0085', undefined, 1, undefined],
  ['\ufeffC', undefined, 0, undefined],
  ['<answer>\u2003C</answer>', 'C', 1, 'C'],
  ['<answer>ja_1</answer>', undefined, 0, 'ja_1'],
  ['<answer>Ω</answer>', undefined, 0, 'Ω'],
  ['<answer>a\rb</answer>', undefined, 0, undefined],
  ['', undefined, 0, undefined],
];

describe('answers', () => {
  it.each(TABLE)('reads %j', (completion, robust, reward, paper) => {
    expect(answerIn(completion, options).letter).toBe(robust);
    expect(paperAccuracy(completion, 'C')).toBe(reward);
    expect(paperAnswer(completion)).toBe(paper);
  });

  it("agrees with Med-R1's expressions in Python", () => {
    const url = new URL('./fixtures/med-r1-extraction.json', import.meta.url);
    const rows = JSON.parse(readFileSync(url, 'utf8')) as Record<string, string | number | null>[];
    expect(rows.length).toBeGreaterThan(250);
    for (const { text, ...expected } of rows) {
      const completion = text as string;
      expect({
        completion,
        reward_text: paperRewardText(completion),
        think_format: paperFormat(completion, 'think'),
        no_think_format: paperFormat(completion, 'no-think'),
        extracted: paperAnswer(completion) ?? null,
      }).toEqual({ completion, ...expected });
    }
  });

  it('reads the raw output where the scripts for base models do', () => {
    expect(paperAnswer('C', 'raw')).toBe('C');
    expect(paperAnswer('C.', 'raw')).toBe('C.');
    expect(paperAnswer('<answer>C</answer>', 'raw')).toBe('<answer>C</answer>');
    expect(paperAnswer('C', 'either')).toBe('C');
    expect(paperAnswer('The answer is C', 'either')).toBeUndefined();
    expect(paperRewardText('<answer>a\rb</answer>')).toBe('a\rb');
  });

  it.each([
    ['<think>a\nb</think>\n<answer>C</answer>', 1, 0],
    ['<think></think><answer></answer>', 1, 0],
    [' <think>a</think><answer>C</answer>', 0, 0],
    ['<think>a</think><answer>C</answer>\n', 0, 0],
    ['<think>a</think>so<answer>C</answer>', 0, 0],
    ['<think>a</think><answer>C</answer><answer>D</answer>', 1, 0],
    ['<think>a</think>b</think><answer>C</answer>', 1, 0],
    [' \n<answer>C</answer>', 0, 1],
    ['<answer>C</answer>.', 0, 0],
  ] as const)('scores the format of %j as Med-R1 does', (completion, think, noThink) => {
    expect(paperFormat(completion, 'think')).toBe(think);
    expect(paperFormat(completion, 'no-think')).toBe(noThink);
  });

  it('reads untagged text where tags are optional', () => {
    const read = (text: string) => answerIn(text, options, { tags: 'optional' });
    expect(read('C')).toEqual({ letter: 'C', how: 'letter' });
    expect(read('<think>B it is</think> C) Kidney')).toEqual({ letter: 'C', how: 'letter and text' });
    expect(read('It is bean-shaped, so the answer is C.')).toEqual({ letter: 'C', how: 'statement' });
    expect(read('The answer is kidney. It is bean-shaped.').letter).toBe('C');
    expect(read('The correct option is (C), since it is bean-shaped').letter).toBe('C');
    expect(read('We get \\boxed{C}').letter).toBe('C');
    expect(read('The answer is B. No, the answer is C.').letter).toBeUndefined();
    expect(read('The answer is B or C').letter).toBeUndefined();
    expect(read('The answer is A kidney of some kind').letter).toBeUndefined();
    expect(read('No idea').letter).toBeUndefined();
    expect(read('<answer>B</answer>').letter).toBe('B');
    expect(statedAnswer('Answer: Kidney', options)).toBe('C');
  });

  it('takes an option that is one letter for its text', () => {
    expect(matchOption('E', { A: 'E', B: 'F' })).toEqual({ letter: 'A', how: 'option text' });
    expect(matchOption('B', { A: 'B', B: 'C' })).toEqual({ letter: 'B', how: 'letter' });
    expect(matchOption('same', { A: 'same', B: 'Same' }).how).toBe('several options');
  });

  it('counts tags', () => {
    expect(countTags('<think>a</think></think><THINK>', 'think')).toEqual({ open: 2, close: 2 });
  });
});
