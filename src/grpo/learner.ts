/** Learning from a round: a step is cut into lanes, whose gradients are added in order. */

import type { Exchange } from '../exchange/index.js';
import type { BatchPlan } from '../rollout/plan.js';
import type { StepContext, StepResult } from '../train/task.js';
import type { GrpoConfig } from './config.js';
import { GradientSum } from './gradients.js';
import { type LaneInput, LaneSums, valueMetrics } from './lane.js';
import { countTokens, cutGroups, type LearnedGroup } from './learned.js';
import type { LossWindow } from './loss/settings.js';
import type { GrpoWork } from './work.js';

/** What a learner works with. */
export interface LearnerSetting {
  readonly config: GrpoConfig;
  readonly plan: BatchPlan;
  readonly work: GrpoWork;
  readonly exchange: Exchange;
}

/** One step's part of a round. */
export interface StepShare {
  readonly groups: readonly LearnedGroup[];
  /** Tokens that count in the whole round. */
  readonly roundTokens: number;
  /** Weight of the divergence from the reference. */
  readonly beta: number;
  /** Whether the weights are still those that drew the completions. */
  readonly onPolicy: boolean;
}

/** Leaves the gradients of one optimizer step in those of the weights. */
export async function learnStep(
  { config, plan, work, exchange }: LearnerSetting,
  context: StepContext,
  share: StepShare,
): Promise<StepResult> {
  const window: LossWindow = {
    accumulation: plan.accumulation,
    tokens: share.roundTokens / plan.slices,
    maxCompletionLength: config.max_completion_length,
  };
  const stepTokens = countTokens(share.groups);
  const inputs = cutGroups(share.groups, plan.laneBatches * plan.microBatch).map(
    (groups, i): LaneInput => ({
      groups,
      step: context.step,
      firstBatch: i * plan.laneBatches,
      window,
      beta: share.beta,
      stepTokens,
      onPolicy: share.onPolicy,
    }),
  );
  const sums = new LaneSums(config);
  const gradients = new GradientSum();
  try {
    let done = 0;
    await exchange.run(work.lane, { inputs }, context, (lane) => {
      if (inputs.length > 1) context.progress?.({ what: 'lanes', done: ++done, of: inputs.length });
      sums.add(lane.sums);
      gradients.add(lane.gradients);
    });
    gradients.giveTo(work.weights);
  } finally {
    gradients.dispose();
  }
  return {
    metrics: {
      loss: sums.loss,
      policy_loss: sums.policyLoss,
      ...sums.statistics.metrics(),
      ...(config.entropy_coef === 0 ? {} : { entropy_coef: config.entropy_coef }),
      ...(share.onPolicy ? sums.difference.metrics() : {}),
      ...(work.valued ? valueMetrics(sums, share.groups) : {}),
    },
    tokens: sums.tokens,
  };
}
