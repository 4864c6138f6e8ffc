/** A lane: passes over a fixed run of micro-batches, their losses, and the sum of their gradients. */
import type { WorkContext } from '../exchange/index.js';
import type { Model } from '../models/index.js';
import { dropoutStep } from '../train/task.js';
import { type GrpoConfig, lossSettings } from './config.js';
import { type Gradients, type TrainedWeights, takeGradients } from './gradients.js';
import {
  countTokens,
  isEmpty,
  type Member,
  microBatches,
  type PromptCompletions,
  passGroups,
} from './learned.js';
import { type LossSequence, policyLoss } from './loss/policy-loss.js';
import type { LossWindow } from './loss/settings.js';
import { LossStatistics } from './loss/statistics.js';
import { type PassResult, PolicyPass, type PolicyPassOptions } from './pass.js';
import { valueLoss } from './ppo.js';
import { SamplerDifference } from './sampler-difference.js';

/** What a lane learns from. */
export interface LaneInput {
  readonly groups: readonly PromptCompletions[];
  readonly step: number;
  /** Number of the lane's first micro-batch in the step. */
  readonly firstBatch: number;
  readonly window: LossWindow;
  /** Weight of the divergence from the reference, where the loss has it. */
  readonly beta: number;
  /** Tokens that count in the whole step. */
  readonly stepTokens: number;
  /** Whether the weights are still those that drew the completions. */
  readonly onPolicy: boolean;
}

/** Sums over the micro-batches of a lane, or of several. */
export class LaneSums {
  loss = 0;
  policyLoss = 0;
  /** Tokens that went through the model. */
  tokens = 0;
  valueLoss = 0;
  valuesClipped = 0;
  readonly statistics: LossStatistics;
  readonly difference: SamplerDifference;

  constructor(
    config: GrpoConfig,
    statistics = new LossStatistics(lossSettings(config)),
    difference = new SamplerDifference(),
  ) {
    this.statistics = statistics;
    this.difference = difference;
  }

  /** Everything in numbers, for {@link fromNumbers}. */
  toNumbers(): number[] {
    const own = [this.loss, this.policyLoss, this.tokens, this.valueLoss, this.valuesClipped];
    return [...own, ...this.difference.toNumbers(), ...this.statistics.toNumbers()];
  }

  /** Sums from their numbers. */
  static fromNumbers(config: GrpoConfig, numbers: readonly number[]): LaneSums {
    const statistics = LossStatistics.fromNumbers(lossSettings(config), numbers.slice(8));
    const sums = new LaneSums(config, statistics, SamplerDifference.fromNumbers(numbers.slice(5, 8)));
    [sums.loss, sums.policyLoss, sums.tokens, sums.valueLoss, sums.valuesClipped] = numbers;
    return sums;
  }

  /** Takes in the sums of the lane that follows. */
  add(lane: LaneSums): void {
    this.loss += lane.loss;
    this.policyLoss += lane.policyLoss;
    this.tokens += lane.tokens;
    this.valueLoss += lane.valueLoss;
    this.valuesClipped += lane.valuesClipped;
    this.statistics.merge(lane.statistics);
    this.difference.merge(lane.difference);
  }
}

/** What came of a lane. */
export interface LaneResult {
  readonly sums: LaneSums;
  readonly gradients: Gradients;
}

/** What lanes are learned with. */
export interface LaneSetting {
  readonly config: GrpoConfig;
  /** Completions of a micro-batch. */
  readonly microBatch: number;
  readonly model: Model;
  readonly weights: TrainedWeights;
  readonly passOptions: PolicyPassOptions;
}

/** Learns one, beginning without gradients. */
export async function learnLane(
  setting: LaneSetting,
  input: LaneInput,
  context: WorkContext,
): Promise<LaneResult> {
  const { config, model, passOptions } = setting;
  const settings = { ...lossSettings(config), beta: config.kl_in_reward ? 0 : input.beta };
  const sums = new LaneSums(config);
  const batches = microBatches(input.groups, setting.microBatch);
  let anyGradient = false;
  for (const [i, members] of batches.entries()) {
    context.signal.throwIfAborted();
    context.progress?.({ what: 'micro-batches', done: i, of: batches.length });
    if (isEmpty(members)) continue;
    const dropout = dropoutStep(config.seed, input.step, input.firstBatch + i);
    const pass = await context.phase(
      'forward',
      () => new PolicyPass(model, passGroups(members), { ...passOptions, dropout }),
    );
    try {
      const found = await pass.read();
      const sequences = members.map((member, k) => lossSequence(member, found, k, input.onPolicy));
      const result = policyLoss(sequences, settings, input.window);
      const valued = valuesLost(config, members, found, input.stepTokens);
      if (input.onPolicy) {
        for (const [k, { completion }] of members.entries()) sums.difference.add(found.logps[k], completion);
      }
      sums.statistics.merge(result.statistics);
      sums.loss += result.loss + (valued ? valued.weight * valued.loss : 0);
      sums.policyLoss += result.policyLoss;
      sums.tokens += pass.tokens;
      sums.valueLoss += valued?.loss ?? 0;
      sums.valuesClipped += valued?.clipped ?? 0;
      const gradients = {
        logps: result.logpGrads,
        entropies: result.entropyGrads,
        values: valued?.grads ?? null,
      };
      // A group whose rewards are all equal has no gradient. Zeros need not be added to what is there already; but were
      // there nothing, the optimizer would take the weights for ones that the batch does not reach.
      const idle = Object.values(gradients).every((lists) => lists === null || allZero(lists));
      if (idle && (anyGradient || i < batches.length - 1)) continue;
      await context.phase('backward', () => pass.backward(gradients));
      anyGradient = true;
    } finally {
      pass.dispose();
    }
  }
  return { sums, gradients: takeGradients(setting.weights) };
}

/** Metrics of the values of a step, which learned from `groups`. */
export function valueMetrics(sums: LaneSums, groups: readonly PromptCompletions[]): Record<string, number> {
  const tokens = Math.max(countTokens(groups), 1);
  return { value_loss: sums.valueLoss / tokens, value_clip_ratio: sums.valuesClipped / tokens };
}

function valuesLost(
  config: GrpoConfig,
  members: readonly Member[],
  { values }: PassResult,
  stepTokens: number,
) {
  if (!values) return null;
  const weight = config.vf_coef / Math.max(stepTokens, 1);
  const sequences = members.map(({ completion }, k) => ({
    values: values[k],
    oldValues: completion.values ?? [],
    returns: completion.returns ?? [],
  }));
  return { ...valueLoss(sequences, config.cliprange_value, weight), weight };
}

function lossSequence(
  { completion }: Member,
  { logps, entropies }: PassResult,
  k: number,
  onPolicy: boolean,
): LossSequence {
  return {
    logps: logps[k],
    entropies: entropies[k],
    oldLogps: onPolicy ? null : (completion.oldLogps ?? completion.samplerLogps),
    samplerLogps: completion.samplerLogps,
    refLogps: completion.refLogps,
    advantage: completion.advantage,
    mask: null,
  };
}

function allZero(lists: readonly ArrayLike<number>[]): boolean {
  return lists.every((list) => Array.prototype.every.call(list, (value) => value === 0));
}
