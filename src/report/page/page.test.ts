/** What the page computes, without a page. */
import { describe, expect, test } from 'vitest';
import type { Evaluation, MetricRow, StepTally, TraceCompletion, TraceGroup } from '../model.js';
import { filterTraces, NO_FILTER, searchTerms } from './filter.js';
import { duration, percent, short, signed } from './format.js';
import { healthChecks } from './health.js';
import { apart, defaultPair, inOrder, scoreSources, scoreTable } from './matrix.js';
import { highlights, segmentsOf } from './segments.js';
import { endsOf, panelsOf, smoothed } from './series.js';

describe('numbers', () => {
  test.each([
    [0, '0'],
    [1234, '1,234'],
    [0.12345, '0.123'],
    [-12.3456, '−12.35'],
    [0.00001234, '1.23e−5'],
    [2_500_000, '2.50e6'],
    [Number.NaN, 'NaN'],
    [undefined, '–'],
  ])('%s reads %s', (value, text) => expect(short(value)).toBe(text));

  test('shares, differences, durations', () => {
    expect(percent(0.1234)).toBe('12.3%');
    expect([signed(1.25), signed(-3), signed(0.01)]).toEqual(['+1.3', '−3.0', '±0.0']);
    expect([4.25, 75, 200, 7500].map(duration)).toEqual(['4.3 s', '75 s', '3 min 20 s', '2 h 05 min']);
  });
});

describe('a completion in segments', () => {
  test.each([
    '',
    'no tags at all',
    '<think>a\nb</think>\n<answer> C </answer> more',
    '</think><THINK>x<answer>y',
    '<answer>A</answer><answer>B</answer>',
    '</script><img src=x onerror=alert(1)>',
  ])('%j keeps every character', (text) => {
    expect(
      segmentsOf(text)
        .map((segment) => segment.text)
        .join(''),
    ).toBe(text);
  });

  test('tells reasoning, answer and the rest apart', () => {
    const kinds = segmentsOf('x<think>r</think> <answer>A</answer>').map(({ kind }) => kind);
    expect(kinds).toEqual(['plain', 'tag', 'think', 'tag', 'plain', 'tag', 'answer', 'tag']);
  });

  test('search words are marked, special characters included', () => {
    expect(searchTerms('a.c "two Words" ')).toEqual(['a.c', 'two words']);
    expect(highlights('abc A.C', ['a.c'])).toEqual([
      { text: 'abc ', found: false },
      { text: 'A.C', found: true },
    ]);
  });
});

function group(
  step: number,
  modality: string,
  outcomes: (boolean | undefined)[],
  text = 'words',
): TraceGroup {
  const completions = outcomes.map((correct, sample): TraceCompletion => {
    const rewards = [{ name: 'accuracy', value: 1, reason: `letter ${sample}` }];
    return { sample, text: `${text} ${sample}`, rewards, ...(correct !== undefined && { correct }) };
  });
  const options = [['A', 'Liver'] as const, ['B', 'Heart'] as const];
  const rest = { pictures: [], question: 'Which organ?', options, answer: 'A', prompt: '', completions };
  return {
    step,
    group: '0',
    promptId: `p${step}`,
    modality,
    questionType: 'Anatomy Identification',
    ...rest,
  };
}

describe('filters', () => {
  const groups = [
    group(1, 'CT', [true, true]),
    group(2, 'MRI', [true, false], 'Bright RIM'),
    group(3, 'CT', [false, undefined]),
  ];
  const found = (filter: Partial<typeof NO_FILTER>) =>
    filterTraces(groups, { ...NO_FILTER, ...filter }).map((match) => [match.group.step, [...match.samples]]);

  test.each([
    [
      {},
      [
        [1, [0, 1]],
        [2, [0, 1]],
        [3, [0, 1]],
      ],
    ],
    [
      { modality: 'CT' },
      [
        [1, [0, 1]],
        [3, [0, 1]],
      ],
    ],
    [
      { outcome: 'wrong' as const },
      [
        [2, [1]],
        [3, [0]],
      ],
    ],
    [{ outcome: 'right' as const, modality: 'CT' }, [[1, [0, 1]]]],
    [{ mix: 'mixed' as const }, [[2, [0, 1]]]],
    [{ mix: 'all-wrong' as const }, [[3, [0, 1]]]],
    [{ fromStep: 2, toStep: 2 }, [[2, [0, 1]]]],
    [{ text: 'bright rim' }, [[2, [0, 1]]]],
    [{ text: '"rim 1"' }, [[2, [1]]]],
    [
      { text: 'heart "letter 0"' },
      [
        [1, [0]],
        [2, [0]],
        [3, [0]],
      ],
    ],
    [{ text: 'absent' }, []],
  ])('%j', (filter, expected) => expect(found(filter)).toEqual(expected));
});

describe('the matrix', () => {
  const cell = (modality: string, questionType: string, n: number, robust: number) => {
    return { modality, questionType, n, robust, paper: robust - 1, random: n / 4 };
  };
  const evaluation = (name: string, cells: Evaluation['cells']): Evaluation => {
    return { name, model: 'm', data: 'd', style: 'think', cells };
  };
  const tally = (step: number, n: number, correct: number): StepTally => {
    return { step, modality: 'CT', questionType: '', n, correct };
  };

  test('sums cells over datasets, rows and columns', () => {
    const cells = [cell('CT', 'DD', 10, 5), cell('CT', 'DD', 10, 7), cell('MRI', 'MR', 20, 20)];
    const [source] = scoreSources([evaluation('end', cells)], []);
    const table = scoreTable(source as NonNullable<typeof source>, 'robust');
    expect(table.score('CT', 'DD')).toMatchObject({ n: 20, correct: 12, accuracy: 0.6, random: 0.25 });
    expect(table.score(undefined, 'MR')).toMatchObject({ n: 20, accuracy: 1, high: 1 });
    expect(table.score(undefined, undefined)).toMatchObject({ n: 40, correct: 32 });
    expect(table.score('MRI', 'DD')).toBeUndefined();
    const strict = scoreTable(source as NonNullable<typeof source>, 'paper');
    expect(strict.score('CT', 'DD')?.correct).toBe(10);
  });

  test('compares first and last evaluation, else first and last rollouts', () => {
    const tallies = Array.from({ length: 20 }, (_, i) => tally(i + 1, 8, i < 10 ? 2 : 6));
    const rollouts = scoreSources([], tallies);
    expect(defaultPair(rollouts)).toEqual(['rollouts:first', 'rollouts:last']);
    expect(rollouts[1]?.label).toBe('Rollouts, last 2 steps');
    const table = scoreTable(rollouts[1] as NonNullable<(typeof rollouts)[1]>, 'robust');
    expect(table.score('CT', 'Not stated')).toMatchObject({ n: 16, correct: 12 });
    const [a, b] = [evaluation('start', []), evaluation('end', [])];
    expect(defaultPair(scoreSources([a, b], tallies))).toEqual(['eval:start', 'eval:end']);
    expect(defaultPair(scoreSources([b], []))).toEqual([undefined, 'eval:end']);
  });

  test('known names come first; intervals that meet are not apart', () => {
    expect(inOrder(['Zebra', 'MRI', 'CT', 'MRI'], ['CT', 'MRI'])).toEqual(['CT', 'MRI', 'Zebra']);
    const score = (low: number, high: number) => ({ n: 1, correct: 1, accuracy: 1, low, high });
    expect(apart(score(0.1, 0.3), score(0.3, 0.6))).toBe(false);
    expect(apart(score(0.4, 0.6), score(0.1, 0.3))).toBe(true);
  });
});

describe('curves', () => {
  const row = (step: number, values: Record<string, number>) => ({ step, ...values }) as MetricRow;

  test('every metric is in exactly one chart, also those that nobody knows', () => {
    const rows = [
      row(1, {
        reward: 1,
        reward_std: 0.5,
        kl: 0,
        'rewards/a/mean': 1,
        'rewards/a/std': 0,
        odd: 3,
        'time/rollout': 2,
      }),
      row(2, {
        reward: 2,
        reward_std: 0.5,
        kl: 1,
        'time/rollout': 1,
        'time/update': 5,
        'eval/accuracy': 0.5,
      }),
    ];
    const { steps, main, others } = panelsOf(rows, [
      { step: 2, modality: '', questionType: '', n: 4, correct: 3 },
    ]);
    expect(steps).toEqual([1, 2]);
    expect(main.map(({ id }) => id)).toEqual(['reward', 'rewards', 'accuracy', 'kl', 'phases']);
    expect(main[0]?.band?.low).toEqual([0.5, 1.5]);
    expect(main[2]?.curves.map(({ label, values }) => [label, values])).toEqual([
      ['rollouts', [null, 0.75]],
      ['eval/accuracy', [null, 0.5]],
    ]);
    expect(main[4]?.curves.map(({ label }) => label)).toEqual(['update', 'rollout']);
    expect(others.map(({ id }) => id)).toEqual(['odd']);
  });

  test('token accuracy has a chart of its own, apart from right answers', () => {
    const rows = [
      row(1, { mean_token_accuracy: 0.4, 'eval/accuracy': 0.5 }),
      row(2, { mean_token_accuracy: 0.6, 'eval/mean_token_accuracy': 0.55 }),
    ];
    const { main, others } = panelsOf(rows, []);
    expect(main.map(({ id, curves }) => [id, curves.map(({ label, values }) => [label, values])])).toEqual([
      ['accuracy', [['eval/accuracy', [0.5, null]]]],
      [
        'token-accuracy',
        [
          ['training', [0.4, 0.6]],
          ['held out', [null, 0.55]],
        ],
      ],
    ]);
    expect(others).toEqual([]);
  });

  test('smoothing has no bias to the start and skips gaps', () => {
    expect(smoothed([2, null, 2, 2], 0.9)).toEqual([2, null, expect.closeTo(2), expect.closeTo(2)]);
    expect(smoothed([1, 5, 9], 0)).toEqual([1, 5, 9]);
    const ends = endsOf(
      Array.from({ length: 20 }, (_, i) => row(i + 1, { kl: i })),
      'kl',
    );
    expect(ends).toEqual({ first: 0.5, last: 18.5 });
  });
});

test('run health: quiet when all is well, loud when not', () => {
  const state = (rows: MetricRow[]) =>
    Object.fromEntries(healthChecks(rows).map(({ id, state }) => [id, state]));
  const good = { step: 1, loss: 0, frac_reward_zero_std: 0.1, 'sampling/logp_diff_max': 1e-5, entropy: 1 };
  expect(state([good])).toEqual({ skipped: 'good', logp: 'good', 'zero-std': 'good', entropy: 'good' });
  const bad = {
    step: 2,
    nonfinite_steps: 1,
    frac_reward_zero_std: 1,
    'sampling/logp_diff_max': 3,
    entropy: 0.01,
  };
  expect(state([good, bad])).toEqual({
    skipped: 'bad',
    logp: 'bad',
    'zero-std': 'bad',
    entropy: 'attention',
  });
});
