/** Learning from a round: passes over micro-batches, losses, gradients. */

import type { Model } from '../models/index.js';
import type { BatchPlan } from '../rollout/plan.js';
import type { StepContext, StepResult } from '../train/task.js';
import { type GrpoConfig, lossSettings } from './config.js';
import { countTokens, type LearnedCompletion, type LearnedGroup } from './learned.js';
import { type LossSequence, policyLoss } from './loss/policy-loss.js';
import type { LossWindow } from './loss/settings.js';
import { LossStatistics } from './loss/statistics.js';
import {
  type PassGroup,
  type PassResult,
  PolicyPass,
  type PolicyPassOptions,
  type ValueHead,
} from './pass.js';
import { valueLoss } from './ppo.js';
import { SamplerDifference } from './sampler-difference.js';

/** What a learner works with. */
export interface LearnerSetting {
  readonly config: GrpoConfig;
  readonly plan: BatchPlan;
  readonly model: Model;
  /** With PPO. */
  readonly head: ValueHead | null;
}

/** A completion and the group that it belongs to. */
interface Member {
  readonly group: LearnedGroup;
  readonly completion: LearnedCompletion;
}

/** One step's part of a round. */
export interface StepShare {
  readonly groups: readonly LearnedGroup[];
  /** Tokens that count in the whole round. */
  readonly roundTokens: number;
  /** Whether the weights are still those that drew the completions. */
  readonly onPolicy: boolean;
}

/** Makes passes over groups and gradients from them. */
export class Learner {
  readonly #setting: LearnerSetting;

  constructor(setting: LearnerSetting) {
    this.#setting = setting;
  }

  /** How passes are made. */
  get passOptions(): PolicyPassOptions {
    const { config, head } = this.#setting;
    return {
      temperature: config.temperature,
      recompute: config.gradient_checkpointing,
      valueHead: head,
    };
  }

  /** Runs a scoring function over a round, one micro-batch at a time; results by completion. */
  async overRound<T>(
    groups: readonly LearnedGroup[],
    score: (groups: readonly PassGroup[]) => Promise<readonly T[]>,
  ): Promise<(T | null)[]> {
    const results: (T | null)[] = [];
    for (const members of microBatches(groups, this.#setting.plan.microBatch)) {
      const empty = members.every(({ completion }) => completion.ids.length === 0);
      results.push(...(empty ? members.map(() => null) : await score(passGroups(members))));
    }
    return results;
  }

  /** Adds the gradients of one optimizer step. */
  async step(context: StepContext, share: StepShare): Promise<StepResult> {
    const { config, plan } = this.#setting;
    const settings = lossSettings(config);
    const window: LossWindow = {
      accumulation: plan.accumulation,
      tokens: share.roundTokens / plan.slices,
      maxCompletionLength: config.max_completion_length,
    };
    const statistics = new LossStatistics(settings);
    const difference = new SamplerDifference();
    const values = { loss: 0, clipped: 0, tokens: countTokens(share.groups) };
    const batches = microBatches(share.groups, plan.microBatch);
    let [loss, policy, tokens] = [0, 0, 0];
    let anyGradient = false;
    for (const [i, members] of batches.entries()) {
      const dropout = context.microBatch(i);
      if (members.every(({ completion }) => completion.ids.length === 0)) continue;
      const groups = passGroups(members);
      const pass = await context.phase(
        'forward',
        () => new PolicyPass(this.#setting.model, groups, { ...this.passOptions, dropout }),
      );
      try {
        const found = await pass.read();
        const sequences = members.map((member, k) => lossSequence(member, found, k, share.onPolicy));
        const result = policyLoss(sequences, settings, window);
        const valued = this.#valueLoss(members, found, values.tokens);
        if (share.onPolicy) {
          for (const [k, { completion }] of members.entries()) difference.add(found.logps[k], completion);
        }
        statistics.merge(result.statistics);
        loss += result.loss + (valued ? valued.weight * valued.loss : 0);
        policy += result.policyLoss;
        tokens += pass.tokens;
        values.loss += valued?.loss ?? 0;
        values.clipped += valued?.clipped ?? 0;
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
    return {
      metrics: {
        loss,
        policy_loss: policy,
        ...statistics.metrics(),
        ...(config.entropy_coef === 0 ? {} : { entropy_coef: config.entropy_coef }),
        ...(share.onPolicy ? difference.metrics() : {}),
        ...(this.#setting.head ? valueMetrics(values) : {}),
      },
      tokens,
    };
  }

  #valueLoss(members: readonly Member[], found: PassResult, stepTokens: number) {
    const { config } = this.#setting;
    const { values } = found;
    if (!values) return null;
    const weight = config.vf_coef / Math.max(stepTokens, 1);
    const sequences = members.map(({ completion }, k) => ({
      values: values[k],
      oldValues: completion.values ?? [],
      returns: completion.returns ?? [],
    }));
    return { ...valueLoss(sequences, config.cliprange_value, weight), weight };
  }
}

/** Members of the same group share its prompt. */
function passGroups(members: readonly Member[]): PassGroup[] {
  const groups: { group: LearnedGroup; completions: ArrayLike<number>[] }[] = [];
  for (const { group, completion } of members) {
    const last = groups.at(-1);
    if (last?.group === group) last.completions.push(completion.ids);
    else groups.push({ group, completions: [completion.ids] });
  }
  return groups.map(({ group: { prompt }, completions }) => ({
    prompt: { ids: prompt.ids, images: prompt.grids },
    pixels: prompt.images?.pixels ?? null,
    completions,
  }));
}

function microBatches(groups: readonly LearnedGroup[], size: number): Member[][] {
  const members = groups.flatMap((group) => group.completions.map((completion) => ({ group, completion })));
  return Array.from({ length: Math.ceil(members.length / size) }, (_, i) =>
    members.slice(i * size, (i + 1) * size),
  );
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
    refLogps: completion.refLogps,
    advantage: completion.advantage,
    mask: null,
  };
}

function allZero(lists: readonly ArrayLike<number>[]): boolean {
  return lists.every((list) => Array.prototype.every.call(list, (value) => value === 0));
}

function valueMetrics(values: { readonly loss: number; readonly clipped: number; readonly tokens: number }) {
  const tokens = Math.max(values.tokens, 1);
  return { value_loss: values.loss / tokens, value_clip_ratio: values.clipped / tokens };
}
