/** Which groups a round keeps, and the order of questions by past success. */
import { expect, it } from 'vitest';
import type { Question } from '../data/index.js';
import type { Completion, GenerationRequest } from '../generate/index.js';
import type { PromptEncoder } from '../models/processor/index.js';
import type { HostTensor, StepContext } from '../train/task.js';
import type { RolloutConfig } from './config.js';
import { planBatches } from './plan.js';
import { PromptSet } from './prompts.js';
import type { Reward } from './rewards/index.js';
import { drawRound } from './sampler.js';

const QUESTIONS = Array.from(
  { length: 8 },
  (_, i): Question => ({
    id: `q${i}`,
    images: [],
    question: 'Q?',
    options: { A: 'x', B: 'y' },
    answer: 'A',
    // What a synthesis has found before.
    extra: { pass_rate: i / 7 },
  }),
);

const BASE = {
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  num_generations: 4,
  steps_per_generation: null,
  generation_batch_size: null,
  num_mini_batches: null,
  num_iterations: 1,
  rollout_units: 1,
  learning_lanes: 1,
  max_resampling_rounds: 3,
  max_completion_length: 4,
  max_prompt_length: null,
  overlong: 'drop',
  dynamic_sampling: false,
  online_filter: null,
  curriculum: 'none',
  shuffle_dataset: false,
  shuffle_options: false,
  scale_rewards: 'group',
  multi_objective_aggregation: 'sum_then_normalize',
  prompt_template: null,
  system_prompt: null,
  answer_style: 'no-think',
  seed: 3,
};

/** The question's number is the length of its prompt; nobody looks at pictures. */
const encoder = {
  prompt: async (_: unknown, { name }: { name: string }) => ({
    ids: Array(1 + Number(name.slice(-1))).fill(0),
    grids: [],
  }),
  patches: async () => null,
} as unknown as PromptEncoder;

function promptsOf(settings: Partial<RolloutConfig>): Promise<PromptSet> {
  const config = { ...BASE, ...settings } as RolloutConfig;
  return PromptSet.open(QUESTIONS, { config, encoder, note: () => {} });
}

const context = {
  step: 1,
  phase: (_: string, body: () => unknown) => body(),
} as unknown as StepContext;

const reward: Reward = {
  name: 'right',
  weight: 2,
  score: ({ completion }) => ({ value: completion.includes('A') ? 1 : 0, reason: '' }),
};

/** Question i is answered right in `right(i)` of its four samples. */
async function round(settings: Partial<RolloutConfig>, right: (question: number) => number) {
  const config = { ...BASE, ...settings } as RolloutConfig;
  const prompts = await promptsOf(settings);
  const draw = async (requests: readonly GenerationRequest[]) =>
    requests.map(({ ids }) =>
      Array.from({ length: 4 }, (_, sample): Completion => {
        const text = `<answer>${sample < right(ids.length - 1) ? 'A' : 'B'}</answer>`;
        return { sample, text, tokenIds: [1], logprobs: [0], finishReason: 'stop' } as unknown as Completion;
      }),
    );
  const setting = { config, plan: planBatches(BASE), prompts, rewards: [reward], draw };
  const drawn = await drawRound(setting, context, 0);
  return { ids: drawn.groups.map(({ prompt }) => prompt.question.id), drawn, prompts };
}

const RIGHT = (i: number) => [4, 0, 1, 3, 2, 4, 0, 1][i] as number;

it('a filter keeps what is neither too hard nor too easy, by the sum or by one reward', async () => {
  expect((await round({}, RIGHT)).ids).toEqual(['q0', 'q1']);
  expect((await round({ dynamic_sampling: true }, RIGHT)).ids).toEqual(['q2', 'q3']);
  // The weighted sum of question 2 is 0.5, of question 3 is 1.5, of question 4 is 1.
  const sum = await round({ online_filter: { low: 0.6, high: 1.4, metric: 'reward' } }, RIGHT);
  expect(sum.ids).toEqual(['q4', 'q0']);
  expect(sum.drawn).toMatchObject({ next: 7, discarded: 5 });
  const one = await round({ online_filter: { low: 0.2, high: 0.6, metric: 'right' } }, RIGHT);
  expect(one.ids).toEqual(['q2', 'q4']);
});

it('an epoch asks first what past success says, and a resumed run goes on with the same order', async () => {
  const order = async (prompts: PromptSet, epoch: number) =>
    (await prompts.askFrom(epoch * 8, 8)).map(({ index }) => index);
  const easy = await promptsOf({ curriculum: 'easy_first' });
  expect(await order(easy, 0)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
  expect(await order(await promptsOf({ curriculum: 'hard_first' }), 0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const uncertain = await promptsOf({ curriculum: 'uncertain_first' });
  expect((await order(uncertain, 0)).slice(0, 2).sort()).toEqual([3, 4]);

  const { drawn } = await round({}, RIGHT);
  expect(drawn.success).toEqual([
    { index: 0, success: 1 },
    { index: 1, success: 0 },
  ]);
  easy.learnSuccess(drawn.success);
  // The epoch that has begun stays as it is.
  expect((await order(easy, 0))[0]).toBe(7);
  const state = easy.state();
  const resumed = await promptsOf({ curriculum: 'easy_first' });
  await resumed.restore({
    names: () => Object.keys(state),
    read: async (name) => state[name] as HostTensor,
  });
  expect(await order(resumed, 0)).toEqual(await order(easy, 0));
  const next = await order(resumed, 1);
  expect(next.slice(0, 2).sort()).toEqual([0, 7]);
  expect(next.at(-1)).toBe(1);
  expect(next).toEqual(await order(easy, 1));
  expect((await promptsOf({})).state()).toEqual({});
});
