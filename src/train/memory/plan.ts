/** The memory that a run will need, before anything is loaded. */
import type { DeviceTraits } from '../../gpu/index.js';
import type { ModelConfig } from '../../models/index.js';
import { frozenParts, type TrainingConfig } from '../config/index.js';
import type { Workload } from '../task.js';
import { rehearseStep } from './rehearse.js';

/** Bytes by purpose, each at its own peak, and the peak of their sum. */
export interface MemoryPlan {
  readonly weights: number;
  readonly optimizer: number;
  readonly gradients: number;
  readonly activations: number;
  readonly scratch: number;
  readonly kv: number;
  /** Further copies of the weights, and what else the task keeps. */
  readonly copies: number;
  readonly peak: number;
  /** The largest buffer that training needs. */
  readonly largest: { readonly name: string; readonly bytes: number };
  /** Settings that lower it, best first. */
  readonly lower: readonly string[];
}

/** The peak of a run's largest step on a device like `device`; on whatever hardware by default. */
export function planMemory(
  config: TrainingConfig,
  model: ModelConfig,
  workload: Workload,
  device?: DeviceTraits,
): MemoryPlan {
  const { memory, copies, largest } = rehearseStep(config, model, workload, device);
  const { weights, ...others } = memory.peak;
  return {
    ...others,
    weights: weights - copies,
    copies,
    peak: memory.peakTotal,
    largest: { name: largest.name, bytes: 4 * largest.elements },
    lower: [...ownSettings(config), ...workload.lower],
  };
}

function ownSettings(config: TrainingConfig): string[] {
  const frozen = frozenParts(config);
  return [
    ...(config.gradient_checkpointing ? [] : ['gradient_checkpointing: true']),
    ...(config.use_peft ? [] : ['use_peft: true']),
    ...(config.dtype === 'float32' ? ['dtype: bfloat16'] : []),
    ...(config.vision_cache_device === 'device' ? ['vision_cache_device: host'] : []),
    ...(frozen.visionTower ? [] : ['freeze_vision_tower: true']),
  ];
}

/** The plan in one line. */
export function planText(plan: MemoryPlan): string {
  const parts = [
    ['weights', plan.weights],
    ['optimizer', plan.optimizer],
    ['gradients', plan.gradients],
    ['activations', plan.activations],
    ['scratch', plan.scratch],
    ['KV cache', plan.kv],
    ['copies', plan.copies],
  ] as const;
  return parts
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${gib(bytes)}`)
    .join(', ');
}

/** Bytes for people. */
export function gib(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 10).toFixed(1)} KiB`;
}
