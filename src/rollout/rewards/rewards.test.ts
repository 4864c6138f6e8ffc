import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { OpenAnswer } from '../../data/answers/open.js';
import { expectedOpen } from '../../data/answers/record.js';
import { conclusionOf } from '../../data/conclusion.js';
import type { Conversation, Question } from '../../data/index.js';
import { TRL } from '../test-trl.js';
import { accuracy } from './accuracy.js';
import { consistency } from './consistency.js';
import { format } from './format.js';
import {
  buildRewards,
  earlierRewards,
  type RewardContext,
  type RewardSample,
  rewardsField,
  scoreAll,
} from './index.js';
import { cosineLength, lengthInBand } from './length.js';
import { overlong } from './overlong.js';
import { repetition } from './repetition.js';

const RECORD: Question = {
  id: 'q1',
  images: [],
  question: 'What is shown?',
  options: { A: 'Lung', B: 'Liver', C: 'Left kidney', D: 'Kidney' },
  answer: 'B',
  extra: { hint: 'abdomen' },
};

function sample(completion: string, ids: readonly number[] = []): RewardSample {
  return {
    prompt: 'p',
    completion,
    completionIds: ids,
    truncated: false,
    record: RECORD,
    sample: 2,
    step: 1,
  };
}

const CONTEXT: RewardContext = {
  style: 'think',
  maxCompletionLength: 100,
  folder: '/run',
  importModule: async () => ({}),
};

describe('accuracy', () => {
  it.each([
    // completion, paper, robust
    ['<answer> B </answer>', 1, 1],
    ['<think>x</think>\n<answer>B</answer>', 1, 1],
    ['<answer>b</answer>', 0, 1],
    ['<answer>B) Liver</answer>', 0, 1],
    ['<answer>liver.</answer>', 0, 1],
    ['B', 1, 0],
    ['<answer>B</answer><answer>C</answer>', 1, 0],
    ['<answer>B) Lung</answer>', 0, 0],
    ['<answer>A</answer>', 0, 0],
    ['', 0, 0],
  ])('of %j', (completion, paper, robust) => {
    expect(accuracy(sample(completion), 'paper').value).toBe(paper);
    const { value, reason } = accuracy(sample(completion), 'robust');
    expect(value).toBe(robust);
    expect(reason).not.toBe('');
  });
});

describe('format', () => {
  it.each([
    ['<think>x</think><answer>B</answer>', 'think', 1, 1],
    ['<think>x</think>\n<answer>B</answer>\n', 'think', 0, 1],
    ['<think>a</think><think>b</think><answer>B</answer>', 'think', 1, 0],
    ['<THINK>x</THINK> <Answer>B</Answer>', 'think', 0, 1],
    ['<think></think><answer>B</answer>', 'think', 1, 0],
    ['so <think>x</think><answer>B</answer>', 'think', 0, 0],
    ['<answer>B</answer><think>x</think>', 'think', 0, 0],
    ['<answer>B</answer>', 'no-think', 1, 1],
    ['<answer>B</answer>x</answer>', 'no-think', 1, 0],
    ['<think>x</think><answer>B</answer>', 'no-think', 0, 0],
    ['<answer>B</answer>\n<think>x</think>', 'think-after', undefined, 1],
    ['<think>x</think><answer>B</answer>', 'think-after', undefined, 0],
  ] as const)('of %j as %s', (completion, style, paper, robust) => {
    if (paper !== undefined) expect(format(sample(completion), 'paper', style).value).toBe(paper);
    expect(format(sample(completion), 'robust', style).value).toBe(robust);
  });
});

describe('consistency', () => {
  it.each([
    ['It is large. The answer is B.', 'B'],
    ['The liver has this texture.', 'B'],
    ['It could be the lung or the liver.', undefined],
    ['It is not the lung, so this must be the liver.', 'B'],
    ['The lung is ruled out. Hence option B.', 'B'],
    ["It isn't the liver. It looks like (A).", 'A'],
    ['A left kidney is seen.', 'C'],
    ['One kidney is seen.', 'D'],
    ['A dense organ is seen.', undefined],
    ['The answer is C.\nOn second thought, the right choice is D.', 'D'],
    ['', undefined],
  ])('of %j is %s', (reasoning, letter) => {
    expect(conclusionOf(reasoning, RECORD.options)).toBe(letter);
  });

  it('wants the conclusion answered', () => {
    const think = (answer: string) => `<think>This must be the liver.</think><answer>${answer}</answer>`;
    expect(consistency(sample(think('B'))).value).toBe(1);
    expect(consistency(sample(think('A')))).toEqual({ value: 0, reason: 'concludes B but answers A' });
    expect(consistency(sample('<answer>B</answer>')).value).toBe(0);
    expect(consistency(sample('<think>Hm.</think><answer>B</answer>')).reason).toMatch(/no conclusion/);
  });
});

describe('length', () => {
  const { completions, repetition: repeated, overlong: long } = TRL.lengths;

  it.each(completions.map((ids, i) => [ids.length, i]))('of %i tokens is punished as TRL does', (_, i) => {
    expect(repetition(sample('', completions[i]), 2, -1.5).value).toBeCloseTo(repeated[i], 8);
    expect(overlong(sample('', completions[i]), 100, 20).value).toBeCloseTo(long[i], 8);
  });

  it('has a cosine as TRL has', () => {
    interface Row {
      readonly bounds: readonly [number, number, number, number];
      readonly right: boolean;
      readonly lengths: readonly number[];
      readonly values: readonly number[];
    }
    const url = new URL('../fixtures/trl-cosine.json', import.meta.url);
    for (const { bounds, right, lengths, values } of JSON.parse(readFileSync(url, 'utf8')) as Row[]) {
      const [minWrong, maxWrong, minRight, maxRight] = bounds;
      const settings = { most: 100, correct: [maxRight, minRight], wrong: [minWrong, maxWrong] } as const;
      for (const [i, length] of lengths.entries()) {
        const answered = sample(`<answer>${right ? 'B' : 'C'}</answer>`, Array(length).fill(1));
        expect(cosineLength(answered, settings).value).toBeCloseTo(values[i], 12);
      }
    }
  });

  it('has a band', () => {
    const values = [0, 5, 10, 20, 30, 50].map(
      (n) => lengthInBand(sample('', Array(n).fill(1)), { minTokens: 10, maxTokens: 20 }).value,
    );
    expect(values).toEqual([0, 0.5, 1, 1, 0.5, 0]);
  });
});

describe('a config', () => {
  const build = (entries: unknown, context: Partial<RewardContext> = {}) =>
    buildRewards(rewardsField.parse(entries), { ...CONTEXT, ...context });

  it('builds rewards with names and weights', async () => {
    const rewards = await build([
      'accuracy',
      { name: 'format', mode: 'paper', weight: 0.5 },
      { name: 'length', label: 'short', max_tokens: 3 },
    ]);
    expect(rewards.map(({ name, weight }) => [name, weight])).toEqual([
      ['accuracy', 1],
      ['format', 0.5],
      ['short', 1],
    ]);
    const scores = await scoreAll(rewards, [sample('<answer>B</answer>', [1, 2, 3, 4, 5, 6])]);
    expect(scores[0].map(({ value }) => value)).toEqual([1, 0, 0]);
  });

  it('refuses weighted rewards that are too large together', async () => {
    const rewards = await build([
      { name: 'length', min_tokens: 0, weight: 3e38 },
      { name: 'length', label: 'again', weight: 3e38 },
    ]);
    await expect(scoreAll(rewards, [sample('x', [1])])).rejects.toThrow(
      'the weighted rewards of completion 2 of question "q1" ("x") add up to 6e+38, more than single precision holds',
    );
  });

  it('keeps of an entry what is its own, also where an earlier version kept everything', () => {
    const shape = { shape: 'band', correct: [1, 0.5], wrong: [-1, -0.5], cache_tokens: null };
    const entry = { name: 'length', weight: 1, label: null, min_tokens: 0, max_tokens: 3, ...shape };
    expect(rewardsField.parse([{ name: 'length', max_tokens: 3 }])).toEqual([entry]);
    const others = { mode: 'robust', style: null, ngram_size: 3, max_penalty: -1 };
    const earlier = { ...entry, ...others, path: null, options: {} };
    expect(earlierRewards([earlier])).toEqual([entry]);
    expect(rewardsField.safeParse([earlier]).success).toBe(false);
  });

  it('builds rewards for options that do not apply to a record without any', async () => {
    const record: Conversation = { id: 'c1', images: [], messages: [{ role: 'user', content: 'Describe.' }] };
    const rewards = await build(['accuracy', 'consistency', 'format']);
    const [found] = await scoreAll(rewards, [{ ...sample('<answer>B</answer>'), record }]);
    expect(found.map(({ value }) => value)).toEqual([null, null, 0]);
  });

  it('judges open answers by their kind, and others not at all', async () => {
    const open = (answer: OpenAnswer): Question => ({ ...RECORD, ...expectedOpen(answer), modality: 'CT' });
    const text = open({ kind: 'text', accepted: ['left kidney'] });
    const place = open({ kind: 'boxes', boxes: [[0, 0, 10, 10]] });
    const report = open({ kind: 'report', reference: 'no acute disease' });
    const rewards = await build([
      'accuracy',
      'text_f1',
      { name: 'text_f1', label: 'rouge', measure: 'rouge_l' },
      'iou',
      { name: 'iou', label: 'found', threshold: 0.5 },
      'modality_tag',
      'consistency',
    ]);
    const values = async (record: Question, completion: string) =>
      (await scoreAll(rewards, [{ ...sample(completion), record }]))[0].map(({ value }) => value);
    const tag = '<modality>computed: CT</modality>';
    expect(await values(text, '<answer>kidney</answer><modality>ct</modality>')).toEqual([
      ...[0, 2 / 3, 2 / 3, null, null, 1, null],
    ]);
    expect(await values(place, `<answer>[0, 0, 10, 4]</answer>${tag}`)).toEqual([
      0,
      null,
      null,
      0.4,
      0,
      0,
      null,
    ]);
    expect(await values(report, '<answer>no disease</answer>')).toEqual([
      null,
      0.8,
      0.8,
      null,
      null,
      0,
      null,
    ]);
    expect((await values(text, 'left kidney')).slice(0, 2)).toEqual([0, 0]);
    expect(await values(RECORD, '<answer>B</answer>')).toEqual([1, null, null, null, null, null, 0]);
  });

  it('runs modules of the user, given by path', async () => {
    const seen: string[] = [];
    const rewards = await build(
      [
        { name: 'module', path: 'mine.ts', options: { factor: 3 } },
        { name: 'module', path: '/abs/other.js', label: 'other', weight: 2 },
      ],
      {
        importModule: async (path) => {
          seen.push(path);
          return path.endsWith('mine.ts')
            ? {
                default: async ({ record, options }: { record: Question; options: { factor: number } }) =>
                  record.id.length * options.factor,
              }
            : {
                default: ({ completion }: RewardSample) =>
                  completion === '' ? null : { value: 1, reason: 'said' },
              };
        },
      },
    );
    expect(seen).toEqual(['/run/mine.ts', '/abs/other.js']);
    expect(rewards.map(({ name }) => name)).toEqual(['mine', 'other']);
    expect(await scoreAll(rewards, [sample(''), sample('x')])).toEqual([
      [
        { value: 6, reason: '' },
        { value: null, reason: '' },
      ],
      [
        { value: 6, reason: '' },
        { value: 1, reason: 'said' },
      ],
    ]);
  });

  it('names the reward and the sample that failed', async () => {
    const failing = (run: () => unknown) =>
      build([{ name: 'module', path: 'bad.ts' }], { importModule: async () => ({ default: run }) }).then(
        (rewards) => scoreAll(rewards, [sample('Liver?')]),
      );
    await expect(
      failing(() => {
        throw new Error('no network');
      }),
    ).rejects.toThrow('reward "bad" on completion 2 of question "q1" ("Liver?") failed: no network');
    await expect(failing(() => Promise.reject(new Error('late')))).rejects.toThrow(/"bad" .* failed: late/);
    await expect(failing(() => Number.NaN)).rejects.toThrow(/gave NaN; a reward is a finite number/);
    await expect(failing(() => 'yes')).rejects.toThrow(/returned "yes"; expected a number/);
  });

  it.each([
    [['acuracy'], /names "acuracy"; allowed are accuracy, format/],
    [[{ name: 'acuracy' }], /names "acuracy"; allowed are accuracy, format/],
    [[{ name: 'accuracy', ngram_size: 2 }], /has "ngram_size", which only repetition takes/],
    [[{ name: 'consistency', mode: 'paper' }], /has "mode", which only accuracy and format take$/],
    [
      [{ name: 'format', wieght: 2 }],
      /has "wieght", which is no setting; known are name, weight, label, mode, style/,
    ],
    [[{ name: 'module' }], /has a bad "path": is missing; give the file of the reward/],
    [[{ name: 'length', max_tokens: 0 }], /has a bad "max_tokens": /],
    [[], /./],
  ])('that is wrong is refused: %j', (entries, message) => {
    expect(rewardsField.safeParse(entries).error?.issues[0].message).toMatch(message);
  });

  it.each([
    [['accuracy', 'accuracy'], {}, /"rewards.1.label" gives the name "accuracy" again/],
    [[{ name: 'accuracy', weight: 0 }], {}, /all have weight 0/],
    [['format'], { style: 'custom' }, /"rewards.0.style" is missing/],
    [[{ name: 'format', mode: 'paper', style: 'think-after' }], {}, /published no format for think-after/],
    [[{ name: 'module', path: 'x.ts' }], {}, /no function as its default export/],
    [[{ name: 'length', shape: 'cosine', min_tokens: 7 }], {}, /is only for shape: band/],
    [[{ name: 'length', shape: 'overlong', cache_tokens: 101 }], {}, /over max_tokens 100/],
    [[{ name: 'overlong', cache_tokens: 101 }], {}, /over max_completion_length 100/],
    [[{ name: 'length', min_tokens: 7, max_tokens: 5 }], {}, /over max_tokens 5/],
  ] as const)('that cannot work is refused: %j', async (entries, context, message) => {
    await expect(build(entries, context as Partial<RewardContext>)).rejects.toThrow(message);
  });
});
