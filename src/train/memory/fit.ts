/** Settings with which a run would fit. */
import { type DeviceTraits, OslerError } from '../../gpu/index.js';
import type { ModelConfig } from '../../models/index.js';
import { checkTrainingConfig, type TrainingConfig } from '../config/index.js';
import type { Workload } from '../task.js';
import { gib, type MemoryPlan, planMemory } from './plan.js';

/** Settings as a config has them; those of a trainer are among them. */
export type Settings = Readonly<Record<string, unknown>>;

/** Settings that make a run fit, and what it needs then. */
export interface Fit {
  readonly settings: Settings;
  readonly plan: MemoryPlan;
}

/** A run whose settings are looked for. */
export interface FitProblem {
  readonly config: TrainingConfig;
  readonly model: ModelConfig;
  /** The largest step with other settings; throws where they do not go together. */
  workload(settings: Settings): Workload;
  readonly device?: DeviceTraits;
}

/** At most so many are named. */
const NAMED = 3;

/** Settings that lower the plan, those that change least of what is learned first. */
function ladder(config: TrainingConfig): Settings[] {
  return [
    { gradient_checkpointing: true },
    ...smallerBatches(config),
    ...smallerRollouts(config),
    { gradient_dtype: 'bfloat16' },
    { optim: 'adamw_8bit' },
    { kv_cache_dtype: 'bfloat16' },
    { optim: 'adamw_bf16', dtype: 'bfloat16' },
    { use_peft: true, optim: 'adamw_torch', gradient_dtype: 'float32' },
    { use_peft: true, load_in_4bit: true },
  ];
}

/** The same steps in more micro-batches: nothing else is learned. */
function smallerBatches(config: TrainingConfig): Settings[] {
  const { per_device_train_batch_size: rows, gradient_accumulation_steps: parts } = config;
  const { steps_per_generation: generation } = config as { steps_per_generation?: number | null };
  const halvings = Array.from({ length: Math.floor(Math.log2(rows)) }, (_, i) => 2 ** (i + 1));
  return halvings
    .filter((by) => rows % by === 0)
    .map((by) => ({
      per_device_train_batch_size: rows / by,
      gradient_accumulation_steps: parts * by,
      ...(generation ? { steps_per_generation: generation * by } : {}),
    }));
}

/** Fewer completions that are drawn together. */
function smallerRollouts(config: TrainingConfig): Settings[] {
  const { num_generations: group } = config as { num_generations?: number };
  return group === undefined ? [] : [{ rollout_batch_size: group }];
}

/**
 * Settings with which a run takes no more than `bytes`, those that change least first; where none does alone, the fewest
 * together.
 */
export function settingsThatFit(problem: FitProblem, bytes: number): Fit[] {
  const steps = ladder(problem.config);
  const least = tried(problem, Object.assign({}, ...steps));
  // Nothing takes less than all of them together: where that is too much, one plan tells.
  if (least && least.plan.peak > bytes) return [];
  const alone: Fit[] = [];
  for (const settings of steps) {
    const fit = tried(problem, settings);
    if (fit && fit.plan.peak <= bytes) alone.push(fit);
    if (alone.length === NAMED) break;
  }
  if (alone.length > 0) return alone;
  for (let i = 2; i <= steps.length; i++) {
    const fit = tried(problem, Object.assign({}, ...steps.slice(0, i)));
    if (fit && fit.plan.peak <= bytes) return [fit];
  }
  return [];
}

/** The plan with other settings; null where they change nothing, or do not go with the rest. */
function tried(problem: FitProblem, settings: Settings): Fit | null {
  const { config, model, device } = problem;
  const changed = changes(config, settings);
  if (Object.keys(changed).length === 0) return null;
  const other = { ...config, ...changed };
  const load = workloadIfAllowed(problem, other, changed);
  return load && { settings: changed, plan: planMemory(other, model, load, device) };
}

/** Null where the settings do not go with the others. */
function workloadIfAllowed(
  { workload }: FitProblem,
  config: TrainingConfig,
  settings: Settings,
): Workload | null {
  try {
    checkTrainingConfig(config);
    return workload(settings);
  } catch (error) {
    if (error instanceof OslerError) return null;
    throw error;
  }
}

/** Those settings that a config has otherwise; what its trainer does not know is left out. */
function changes(config: TrainingConfig, settings: Settings): Settings {
  const own = config as unknown as Settings;
  return Object.fromEntries(
    Object.entries(settings).filter(([field, value]) => Object.hasOwn(own, field) && own[field] !== value),
  );
}

/** Settings as one writes them. */
export function settingsText(settings: Settings): string {
  return Object.entries(settings)
    .map(([field, value]) => `${field}: ${value}`)
    .join(', ');
}

/** Several ways to make a run fit, in a sentence. */
export function fitsText(fits: readonly Fit[]): string {
  return fits
    .map(({ settings, plan }) => `${settingsText(settings)} (about ${gib(plan.peak)})`)
    .join(', or with ');
}
