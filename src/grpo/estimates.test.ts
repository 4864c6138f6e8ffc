/** Advantages against EasyR1's code; the fixture is made by `reference/estimator_fixtures.py`. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { AskedPrompt } from '../rollout/prompts.js';
import { nextBeta } from './beta.js';
import { type GrpoConfig, parseGrpoConfig } from './config.js';
import { estimate, needsEstimates, type RoundRewards } from './estimates.js';
import type { LearnedCompletion, LearnedGroup } from './learned.js';

type Lists = number[][];

const EASY_R1 = JSON.parse(readFileSync(new URL('fixtures/estimators.json', import.meta.url), 'utf8')) as {
  groupSize: number;
  beta: number;
  scores: number[];
  baselines: number[];
  logps: Lists;
  refLogps: Lists;
  values: Lists;
  cases: { estimator: string | null; kl: number | null; advantages: Record<string, Lists> }[];
  betas: { kl: number; completions: number; beta: number }[];
};

function config(settings: readonly string[]): GrpoConfig {
  const text = 'model_name_or_path: m\noutput_dir: o\ntrain_dataset: d\n';
  const set = [`num_generations=${EASY_R1.groupSize}`, ...settings];
  return parseGrpoConfig({ file: 'run.yaml', text, set });
}

const ROUND: RoundRewards = {
  rewards: EASY_R1.scores,
  truncated: EASY_R1.scores.map(() => false),
  baselines: EASY_R1.baselines,
};

function groups(): LearnedGroup[] {
  const all = EASY_R1.logps.map(
    (samplerLogps, i): LearnedCompletion => ({
      ids: samplerLogps.map(() => 1),
      samplerLogps,
      advantage: 0,
      oldLogps: null,
      refLogps: Float32Array.from(EASY_R1.refLogps[i]),
      values: Float32Array.from(EASY_R1.values[i]),
      returns: null,
    }),
  );
  const size = EASY_R1.groupSize;
  return EASY_R1.baselines.map((_, i) => ({
    prompt: {} as AskedPrompt,
    completions: all.slice(i * size, (i + 1) * size),
  }));
}

function lists(found: readonly LearnedGroup[], name: 'advantage' | 'returns'): number[][] {
  return found
    .flatMap(({ completions }) => completions)
    .map((completion) => {
      const own = completion[name] ?? [];
      return Array.from(completion.ids, (_, t) => (typeof own === 'number' ? own : own[t]));
    });
}

function expectClose(found: Lists, expected: Lists, digits: number): void {
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  expected.flat().forEach((value, i) => void expect(found.flat()[i]).toBeCloseTo(value, digits));
}

const CASES = EASY_R1.cases.flatMap((found) =>
  ['group', 'rloo', 'reinforce_plus_plus', 'remax', 'grpo_passk'].map((name) => [name, found] as const),
);

it.each(CASES)("%s is EasyR1's, %o", (name, { estimator, kl, advantages }) => {
  const inReward = estimator
    ? [`beta=${EASY_R1.beta}`, 'kl_in_reward=true', `kl_estimator=${estimator}`]
    : [];
  const own = config([`advantage_estimator=${name}`, 'gamma=0.95', ...inReward]);
  expect(needsEstimates(own)).toBe(name !== 'group' || estimator !== null);
  const found = estimate(groups(), ROUND, own, own.beta);
  // GRPO's spread has 1e-4 added to it here and in TRL, and 1e-6 in EasyR1.
  expectClose(lists(found.groups, 'advantage'), advantages[name], name === 'group' ? 2 : 5);
  if (kl === null) expect(found.kl).toBeNull();
  else expect(found.kl).toBeCloseTo(kl, 5);
});

it.each(EASY_R1.cases)("PPO's rewards of tokens are EasyR1's, %o", ({ estimator, advantages }) => {
  const inReward = estimator
    ? [`beta=${EASY_R1.beta}`, 'kl_in_reward=true', `kl_estimator=${estimator}`]
    : [];
  const own = config(['algorithm=ppo', 'gamma=0.95', 'gae_lambda=0.9', ...inReward]);
  const found = estimate(groups(), ROUND, own, own.beta);
  expectClose(lists(found.groups, 'advantage'), advantages.ppo, 5);
  expectClose(lists(found.groups, 'returns'), advantages.returns, 5);
});

it('PPO takes a penalty off what was cut off, and may whiten rewards without moving their mean', () => {
  const own = config(['algorithm=ppo', 'gae_lambda=0', 'gamma=1', 'missing_eos_penalty=3']);
  const cut = { ...ROUND, truncated: ROUND.rewards.map((_, i) => i === 1) };
  const last = (settings: GrpoConfig, round: RoundRewards) =>
    lists(estimate(groups(), round, settings, 0).groups, 'returns').map((list) => list.at(-1) as number);
  const [before, after] = [last(own, ROUND), last(own, cut)];
  expect(after[1]).toBeCloseTo(before[1] - 3, 6);
  expect(after[0]).toBe(before[0]);
  const white = last(config(['algorithm=ppo', 'gae_lambda=0', 'whiten_rewards=true']), ROUND);
  const tokens = EASY_R1.logps.flat().length;
  const total = EASY_R1.scores.reduce((sum, score) => sum + score, 0);
  const mean = total / tokens;
  const squares =
    EASY_R1.scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) +
    (tokens - EASY_R1.scores.length) * mean ** 2;
  const scale = 1 / Math.sqrt(squares / (tokens - 1) + 1e-8);
  EASY_R1.scores.forEach((score, i) => void expect(white[i]).toBeCloseTo((score - mean) * scale + mean, 5));
});

it('what no reward applies to teaches nothing', () => {
  const round = { ...ROUND, rewards: [Number.NaN, ...ROUND.rewards.slice(1)] };
  for (const name of ['rloo', 'reinforce_plus_plus', 'remax', 'grpo_passk']) {
    const own = config([`advantage_estimator=${name}`]);
    const [first, second] = lists(estimate(groups(), round, own, 0).groups, 'advantage');
    expect(new Set(first)).toEqual(new Set([0]));
    expect(second.every(Number.isFinite)).toBe(true);
  }
});

it('beta follows its target as EasyR1 has it', () => {
  let beta = EASY_R1.beta;
  for (const { kl, completions, beta: expected } of EASY_R1.betas) {
    beta = nextBeta(beta, kl, completions, { kl_target: 0.1, kl_horizon: 100 });
    expect(beta).toBeCloseTo(expected, 9);
  }
  expect(nextBeta(0.1, 5, 8, { kl_target: null, kl_horizon: 100 })).toBe(0.1);
});

it.each([
  ['advantage_estimator', 'algorithm=ppo', 'advantage_estimator=rloo'],
  ['kl_in_reward', 'kl_in_reward=true'],
  ['kl_target', 'kl_target=0.1'],
  ['missing_eos_penalty', 'missing_eos_penalty=1'],
  ['num_mini_batches', 'num_mini_batches=2', 'steps_per_generation=2'],
])('a config with a wrong %s is refused', (field, ...settings) => {
  expect(() => config(settings)).toThrow(`the config's "${field}"`);
});
