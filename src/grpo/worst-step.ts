/** A step that takes as much memory as any of a run, with no more completions than it takes for that. */
import type { Completion, GenerationRequest } from '../generate/index.js';
import type { BatchPlan } from '../rollout/plan.js';
import type { AskedPrompt } from '../rollout/prompts.js';
import { rolloutRequest } from '../rollout/sampler.js';
import type { GrpoConfig } from './config.js';
import type { LearnedCompletion, LearnedGroup } from './learned.js';

/** As many completions as are drawn together, all of the longest prompt, and nothing ends them before the cap. */
export function worstRequests(config: GrpoConfig, plan: BatchPlan, prompt: AskedPrompt): GenerationRequest[] {
  const together = Math.min(config.rollout_batch_size ?? plan.roundBatch, plan.roundBatch);
  return Array.from({ length: Math.ceil(together / plan.groupSize) }, (_, i) => ({
    ...rolloutRequest(config, prompt, { samples: plan.groupSize, step: 1, stream: i * plan.groupSize }),
    stopIds: [],
  }));
}

/** Two micro-batches of such completions: in the second, all gradients are there while activations are. */
export function worstGroups(
  plan: BatchPlan,
  prompt: AskedPrompt,
  drawn: readonly (readonly Completion[])[],
): LearnedGroup[] {
  const count = plan.microBatch * Math.min(2, plan.accumulation);
  const all = drawn.flat();
  const members = Array.from({ length: count }, (_, i): LearnedCompletion => {
    const { tokenIds, logprobs } = all[i % all.length];
    return {
      ids: tokenIds,
      samplerLogps: logprobs,
      // Something is to be learned of each.
      advantage: i % 2 === 0 ? 1 : -1,
      oldLogps: null,
      refLogps: null,
      values: null,
      returns: null,
    };
  });
  return Array.from({ length: Math.ceil(count / plan.groupSize) }, (_, i) => ({
    prompt,
    completions: members.slice(i * plan.groupSize, (i + 1) * plan.groupSize),
  }));
}
