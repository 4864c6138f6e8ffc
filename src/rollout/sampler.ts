/** Rounds of rollouts: prompts to completions to rewards. */
import type { Completion, GenerationRequest } from '../generate/index.js';
import type { StepContext } from '../train/task.js';
import { type Advantages, computeAdvantages, isFlat, meanOf, weightedSum } from './advantages.js';
import type { RolloutConfig } from './config.js';
import { successOf } from './curriculum.js';
import type { BatchPlan } from './plan.js';
import type { AskedPrompt, PromptSet } from './prompts.js';
import { type Reward, type RewardSample, scoreAll } from './rewards/index.js';
import { isTruncated, type ScoredGroup } from './round.js';

/** Draws completions, wherever that happens: by request, then by sample. `drawn` prompts of the round came before. */
export type CompletionSource = (
  requests: readonly GenerationRequest[],
  context: StepContext,
  drawn: number,
) => Promise<Completion[][]>;

/** What a sampler works with. */
export interface SamplerSetting {
  readonly config: RolloutConfig;
  readonly plan: BatchPlan;
  readonly prompts: PromptSet;
  readonly rewards: readonly Reward[];
  readonly draw: CompletionSource;
}

/** A round of rollouts. */
export interface Round {
  readonly groups: readonly ScoredGroup[];
  readonly advantages: Advantages;
  /** Place in the order of prompts where the next round begins. */
  readonly next: number;
  /** Groups that were drawn and left out because they teach nothing, or are too hard or too easy. */
  readonly discarded: number;
  /** How each question was answered that was asked, whether its group was kept or not. */
  readonly success: readonly { readonly index: number; readonly success: number }[];
}

/** Draws a round from the prompts at `place` on. */
export async function drawRound(
  setting: SamplerSetting,
  context: StepContext,
  place: number,
): Promise<Round> {
  const { config, plan } = setting;
  const weights = setting.rewards.map(({ weight }) => weight);
  const kept: ScoredGroup[] = [];
  const left: ScoredGroup[] = [];
  let next = place;
  const keeps = keepsGroup(setting);
  const success: { index: number; success: number }[] = [];
  const rounds = keeps ? 1 + config.max_resampling_rounds : 1;
  for (let i = 0; i < rounds && kept.length < plan.roundPrompts; i++) {
    const count = plan.roundPrompts - kept.length;
    const groups = await drawGroups(setting, context, next, count, next - place);
    next += count;
    for (const group of groups) {
      (keeps === null || keeps(group) ? kept : left).push(group);
      const { index, question } = group.prompt;
      success.push({ index, success: successOf(question, group.completions) });
    }
  }
  // Where resampling did not find enough, groups that were left out fill the round.
  const missing = plan.roundPrompts - kept.length;
  const groups = [...kept, ...left.slice(0, missing)];
  const advantages = computeAdvantages(groups.flatMap(valuesOf), weights, plan.groupSize, {
    scaleRewards: config.scale_rewards,
    aggregation: config.multi_objective_aggregation,
  });
  return { groups, advantages, next, discarded: left.length - Math.min(missing, left.length), success };
}

/** Which groups a round keeps; null where it keeps all. */
function keepsGroup({ config, rewards }: SamplerSetting): ((group: ScoredGroup) => boolean) | null {
  const { dynamic_sampling, online_filter } = config;
  const weights = rewards.map(({ weight }) => weight);
  const sums = (group: ScoredGroup) => valuesOf(group).map((row) => weightedSum(row, weights));
  if (online_filter === null) return dynamic_sampling ? (group) => !isFlat(sums(group)) : null;
  const { low, high, metric } = online_filter;
  const at = rewards.findIndex(({ name }) => name === metric);
  return (group) => {
    const values = at < 0 ? sums(group) : valuesOf(group).map((row) => row[at] ?? Number.NaN);
    const mean = meanOf(values);
    return mean > low && mean < high;
  };
}

/** Values of rewards by completion, then by reward. */
function valuesOf({ completions }: ScoredGroup): (number | null)[][] {
  return completions.map(({ rewards }) => rewards.map(({ value }) => value));
}

/** Completions of some prompts, with rewards. `drawn` prompts of the round came before: random streams go on from there. */
async function drawGroups(
  setting: SamplerSetting,
  context: StepContext,
  place: number,
  count: number,
  drawn: number,
): Promise<ScoredGroup[]> {
  const { config, plan, prompts } = setting;
  const asked = await context.phase('data', () => prompts.askFrom(place, count));
  const samples = plan.groupSize;
  const requests = asked.map((prompt, i) =>
    rolloutRequest(config, prompt, { samples, step: context.step, stream: (drawn + i) * samples }),
  );
  const completions = await context.phase('rollout', () => setting.draw(requests, context, drawn));
  const groups = await context.phase('reward', () =>
    scoreGroups(setting.rewards, asked, completions, context.step),
  );
  return config.advantage_estimator === 'remax' ? withBaselines(setting, context, groups, drawn) : groups;
}

/** Groups that know what greedy decoding gets. */
async function withBaselines(
  setting: SamplerSetting,
  context: StepContext,
  groups: readonly ScoredGroup[],
  drawn: number,
): Promise<ScoredGroup[]> {
  const { config, plan, rewards } = setting;
  const asked = groups.map(({ prompt }) => prompt);
  const requests = asked.map((prompt) => {
    const request = rolloutRequest(config, prompt, { samples: 1, step: context.step, stream: 0 });
    return { ...request, sampling: { ...request.sampling, temperature: 0 } };
  });
  // Numbered after all that the round may draw.
  const first = plan.roundPrompts * (1 + config.max_resampling_rounds) + drawn;
  const completions = await context.phase('rollout', () => setting.draw(requests, context, first));
  const scored = await context.phase('reward', () => scoreGroups(rewards, asked, completions, context.step));
  const weights = rewards.map(({ weight }) => weight);
  return groups.map((group, i) => ({ ...group, baseline: weightedSum(valuesOf(scored[i])[0], weights) }));
}

/** What a generator is asked for to get completions of a prompt. */
export function rolloutRequest(
  config: RolloutConfig,
  { ids, images }: Pick<AskedPrompt, 'ids' | 'images'>,
  place: Pick<GenerationRequest, 'samples' | 'step' | 'stream'>,
): GenerationRequest {
  return {
    ids,
    ...(images ? { images } : {}),
    maxNewTokens: config.max_completion_length,
    sampling: {
      temperature: config.temperature,
      topP: config.top_p,
      topK: config.top_k,
      minP: config.min_p,
      repetitionPenalty: config.repetition_penalty,
    },
    seed: config.seed,
    ...place,
  };
}

async function scoreGroups(
  rewards: readonly Reward[],
  prompts: readonly AskedPrompt[],
  completions: readonly (readonly Completion[])[],
  step: number,
): Promise<ScoredGroup[]> {
  const samples = prompts.map((prompt, i) => samplesOf(prompt, completions[i], step));
  const results = await scoreAll(rewards, samples.flat());
  let next = 0;
  return prompts.map((prompt, i) => ({
    prompt,
    completions: completions[i].map((completion, k) => ({
      text: samples[i][k].completion,
      ids: completion.tokenIds,
      logps: completion.logprobs,
      finishReason: completion.finishReason,
      rewards: results[next++],
    })),
  }));
}

function samplesOf(prompt: AskedPrompt, completions: readonly Completion[], step: number): RewardSample[] {
  return completions.map(
    (completion, sample): RewardSample => ({
      prompt: prompt.text,
      completion: completion.text ?? '',
      completionIds: completion.tokenIds,
      truncated: isTruncated(completion),
      record: prompt.question,
      sample,
      step,
    }),
  );
}
