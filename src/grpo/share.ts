/** A worker's share in a run of GRPO or PPO: the model as the config says, and the units of a step. */
import { z } from 'zod';
import type { PacketJson } from '../exchange/index.js';
import type { Gpu } from '../gpu/index.js';
import { FeatureCache } from '../models/core/features.js';
import type { Model } from '../models/index.js';
import { loadProcessor } from '../models/processor/index.js';
import { Parameters } from '../nn/parameters.js';
import { planBatches } from '../rollout/plan.js';
import { featureCacheOptions, loadPolicy } from '../train/policy.js';
import type { GrpoConfig } from './config.js';
import { GrpoWork } from './work.js';

/** What a leader says besides the config. */
const SHARE = z.object({ stopIds: z.array(z.int()), tokens: z.int().positive() });

/** What a share holds. */
export interface GrpoShare {
  readonly work: GrpoWork;
  dispose(): void;
}

/** Loads the policy as a run begins with it; what changed since comes as weights. */
export async function openShare(gpu: Gpu, config: GrpoConfig, share: PacketJson): Promise<GrpoShare> {
  const { stopIds, tokens } = SHARE.parse(share);
  const model: Model = await loadPolicy(gpu, config);
  model.features = model.vision && new FeatureCache(featureCacheOptions(config));
  const extra = config.algorithm === 'ppo' ? new Parameters() : undefined;
  const disposeModel = () => {
    extra?.dispose();
    model.features?.dispose();
    model.dispose();
  };
  try {
    const processor = await loadProcessor(config.model_name_or_path, model.config, {
      minPixels: config.min_pixels,
      maxPixels: config.max_pixels,
      chatTemplate: config.chat_template_path,
    });
    const { tokenizer } = processor;
    const work = await GrpoWork.open({
      config,
      plan: planBatches(config),
      model,
      extra,
      tokenizer,
      stopIds,
      tokens,
    });
    const dispose = () => {
      work.dispose();
      disposeModel();
    };
    return { work, dispose };
  } catch (error) {
    disposeModel();
    throw error;
  }
}
