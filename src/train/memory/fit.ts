/** Settings with which a run would fit. */
import type { DeviceTraits } from '../../gpu/index.js';
import type { ModelConfig } from '../../models/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { Workload } from '../task.js';
import { type MemoryPlan, planMemory } from './plan.js';

/** Settings that make a run fit, and what it needs then. */
export interface Fit {
  /** As a config has them. */
  readonly settings: Readonly<Partial<TrainingConfig>>;
  readonly plan: MemoryPlan;
}

/** Settings that lower the plan, those that change least of what is learned first. */
const LADDER: readonly Readonly<Partial<TrainingConfig>>[] = [
  { gradient_checkpointing: true },
  { gradient_dtype: 'bfloat16' },
  { optim: 'adamw_8bit' },
  { optim: 'adamw_bf16', dtype: 'bfloat16' },
  { use_peft: true, optim: 'adamw_torch', gradient_dtype: 'float32' },
];

/**
 * The first settings with which a run takes no more than `bytes`: each alone, then each with those before it; null where
 * none does.
 */
export function settingsThatFit(
  config: TrainingConfig,
  model: ModelConfig,
  workload: Workload,
  bytes: number,
  device?: DeviceTraits,
): Fit | null {
  const together = LADDER.map((_, i) => Object.assign({}, ...LADDER.slice(0, i + 1)) as Fit['settings']);
  for (const settings of [...LADDER, ...together]) {
    const changed = changes(config, settings);
    if (Object.keys(changed).length === 0) continue;
    const tried = { ...config, ...changed };
    // Updating in the backward pass keeps no gradients that could be rounded.
    if (tried.optimizer_in_backward && tried.gradient_dtype !== 'float32') continue;
    // An adapter's reference is the model without it.
    const load = tried.use_peft ? { ...workload, frozenCopies: 0 } : workload;
    const plan = planMemory(tried, model, load, device);
    if (plan.peak <= bytes) return { settings: changed, plan };
  }
  return null;
}

/** Those settings that a config has otherwise. */
function changes(config: TrainingConfig, settings: Fit['settings']): Fit['settings'] {
  const entries = Object.entries(settings).filter(
    ([field, value]) => config[field as keyof TrainingConfig] !== value,
  );
  return Object.fromEntries(entries);
}

/** Settings as one writes them. */
export function settingsText(settings: Fit['settings']): string {
  return Object.entries(settings)
    .map(([field, value]) => `${field}: ${value}`)
    .join(', ');
}
