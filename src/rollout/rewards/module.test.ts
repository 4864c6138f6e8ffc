/** Rewards that users write, in processes of their own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../cli/common.js';
import type { Question } from '../../data/index.js';
import { buildRewards, type Reward, type RewardSample, rewardsField, scoreAll } from './index.js';

let dir: string;
let rewards: Reward[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-rewards-'));
});
afterEach(() => {
  for (const { score } of rewards) score.close?.();
});
afterAll(() => rm(dir, { recursive: true }));

const RECORD: Question = {
  id: 'q1',
  images: [],
  question: 'What is shown?',
  options: { A: 'Lung', B: 'Liver' },
  answer: 'B',
  extra: { tags: ['ct'] },
};

function samples(count: number): RewardSample[] {
  return Array.from({ length: count }, (_, sample) => ({
    prompt: 'p',
    completion: `c${sample}`,
    completionIds: [sample],
    truncated: false,
    record: RECORD,
    sample,
    step: 1,
  }));
}

let files = 0;

/** Judges samples by a module with this text; it may take a second without an answer, unless told otherwise. */
async function judged(text: string, count = 1, entry: Record<string, unknown> = {}) {
  const name = `reward-${files++}.${entry.ending ?? 'mjs'}`;
  await writeFile(join(dir, name), text);
  const { ending, ...settings } = entry;
  const configs = rewardsField.parse([
    { name: 'module', label: 'mine', path: name, timeout: 1, ...settings },
  ]);
  rewards = await buildRewards(configs, { style: 'think', maxCompletionLength: 9, folder: dir });
  return (await scoreAll(rewards, samples(count))).map(([result]) => result);
}

/** The sentence that ends the run. */
async function failure(text: string, count = 1): Promise<string> {
  const error = await judged(text, count).catch((reason: unknown) => reason);
  expect(exitCodeOf(error)).toBe(1);
  return (error as Error).message;
}

it('gives what it gives, at once or later, with what it imports and its options', async () => {
  await writeFile(join(dir, 'beside.ts'), 'export const half: number = 0.5;');
  const text = `
    import { half } from './beside.ts';
    export default async ({ sample, options, record }: { sample: number; options: { by: number }; record: { id: string } }) =>
      ({ value: sample * half * options.by, reason: record.id });`;
  const results = await judged(text, 3, { ending: 'ts', options: { by: 4 }, timeout: 60 });
  expect(results).toEqual([0, 2, 4].map((value) => ({ value, reason: 'q1' })));
  expect(await judged('export default ({ sample }) => (sample ? 7 : null)', 2)).toEqual([
    { value: null, reason: '' },
    { value: 7, reason: '' },
  ]);
});

it('judges side by side: each waits for all', async () => {
  const text = `
    const waiting = [];
    export default ({ sample }) => new Promise((resolve) => {
      waiting.push(() => resolve(sample));
      if (waiting.length === 8) for (const answer of waiting) answer();
    });`;
  expect((await judged(text, 8)).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

it('judges all completions at once where it is batched, and logs', async () => {
  const text = `
    export const batched = true;
    export default async (inputs, { logMetric, logExtra }) => {
      await 0;
      logMetric('calls', 1);
      logExtra('tag', inputs.map(({ record }) => record.extra.tags[0]));
      return inputs.map(({ sample }) => (sample === 0 ? null : sample));
    };`;
  const [first, ...others] = await judged(text, 3);
  expect(first).toEqual({ value: null, reason: '', logged: [['calls', 1]], extra: { tag: 'ct' } });
  expect(others.map(({ value }) => value)).toEqual([1, 2]);
  const alone =
    'export default ({ sample }, log) => { log.logMetric("m", sample); log.logExtra("s", [sample]); return 1; }';
  expect((await judged(alone, 2))[1]).toEqual({
    value: 1,
    reason: '',
    logged: [['m', 1]],
    extra: { s: [1] },
  });
  await expect(judged('export const batched = true; export default () => [1]', 2)).rejects.toThrow(
    'returned a list of 1; a batched reward returns a list of 2',
  );
});

describe('a module that fails is named, with the sample', () => {
  const mine = (sample: number) => `reward "mine" on completion ${sample} of question "q1" ("c${sample}") `;

  it('where it throws', async () => {
    expect(await failure('export default () => { throw new Error("no opinion"); }')).toBe(
      `${mine(0)}failed: no opinion`,
    );
    expect(await failure('export default async () => { throw "no"; }')).toBe(`${mine(0)}failed: no`);
  });

  it('where it spins', async () => {
    const text = 'export default ({ sample }) => { while (sample === 2) {} return 1; }';
    expect(await failure(text, 4)).toBe(
      `${mine(2)}gave no answer within 1 s; the entry's timeout gives it longer`,
    );
  });

  it('where its promise never settles', async () => {
    const text = 'export default ({ sample }) => (sample === 1 ? new Promise(() => {}) : Promise.resolve(1))';
    expect(await failure(text, 4)).toBe(
      `${mine(1)}gave no answer within 1 s; the entry's timeout gives it longer`,
    );
  });

  it('where it ends the process', async () => {
    const text = 'export default ({ sample }) => { if (sample === 1) process.exit(0); return 1; }';
    expect(await failure(text, 3)).toBe(
      `${mine(1)}ended its process (the helper "reward" ended with exit code 0)`,
    );
  });

  it('where it changes what it is given', async () => {
    const text = 'export default ({ record }) => { record.extra.tags.push("x"); return 1; }';
    expect(await failure(text)).toMatch(/^reward "mine" on .* failed: Cannot add property 1/);
    // Where it is run in this process, too.
    const importModule = async () => ({
      default: ({ record }: RewardSample) => Object.assign(record, { answer: 'A' }),
    });
    const configs = rewardsField.parse([{ name: 'module', path: 'x.ts' }]);
    const context = { style: 'think', maxCompletionLength: 9, folder: dir, importModule } as const;
    await expect(scoreAll(await buildRewards(configs, context), samples(1))).rejects.toThrow(
      /failed: Cannot assign to read only property 'answer'/,
    );
    expect(RECORD.answer).toBe('B');
  });

  it('where it gives no reward, or one that is too large', async () => {
    expect(await failure('export default () => "1"')).toMatch(/returned "1"; expected a number, null, or/);
    expect(await failure('export default () => 1e308')).toBe(
      `${mine(0)}gave 1e+308, more than single precision holds (3.4e38); scale them down`,
    );
  });
});

it('refuses modules that do not load', async () => {
  await expect(judged('export const reward = 1')).rejects.toThrow(/has no function as its default export/);
  await expect(judged('export default (')).rejects.toThrow(/cannot be loaded: Unexpected/);
  await expect(judged('while (true) {}')).rejects.toThrow(/cannot be loaded: no answer within 1 s/);
});
