/** The size of the largest step of a run, for the memory plan. */
import { kvBytesPerToken } from '../generate/index.js';
import type { ModelConfig } from '../models/index.js';
import type { BatchPlan } from '../rollout/plan.js';
import type { PromptSet } from '../rollout/prompts.js';
import { fromTorch } from '../tensor/index.js';
import type { Workload } from '../train/task.js';
import type { GrpoConfig } from './config.js';
import { isAdapterOff } from './reference.js';

/** At most: the longest prompts, with completions that all reach the cap. */
export function workloadOf(
  config: GrpoConfig,
  plan: BatchPlan,
  model: ModelConfig,
  largest: PromptSet['largest'],
): Workload {
  // A micro-batch of part of a group still has the group's prompt.
  const prompts = Math.max(1, plan.microBatch / plan.groupSize);
  const length = config.max_completion_length;
  const together = Math.min(config.rollout_batch_size ?? plan.roundBatch, plan.roundBatch);
  const slots = Math.ceil(together / plan.groupSize) * largest.tokens + together * length;
  const copies = config.beta > 0 && !isAdapterOff(config) ? 1 : 0;
  return {
    tokens: prompts * largest.tokens + plan.microBatch * length,
    longest: largest.tokens + length,
    patches: prompts * largest.patches,
    largestImage: largest.image,
    targets: plan.microBatch * length,
    kvBytes: slots * kvBytesPerToken(model.text, fromTorch(config.kv_cache_dtype)),
    frozenCopies: copies,
    lower: [
      ...(plan.microBatch > 1
        ? [`a lower per_device_train_batch_size (${plan.microBatch}) with more gradient_accumulation_steps`]
        : []),
      `a lower max_completion_length (${length})`,
      ...(together > 1 ? [`a lower rollout_batch_size (${together})`] : []),
      ...(config.kv_cache_dtype === 'float32' ? ['kv_cache_dtype: bfloat16'] : []),
      ...(copies > 0 ? ['beta: 0'] : []),
      ...(model.vision ? ['a lower max_pixels'] : []),
    ],
  };
}
