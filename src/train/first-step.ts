/** The largest first step that a run can have, taken and forgotten: whether it fits, as measured. Nothing is written. */
import { check, type MemoryReport } from '../gpu/index.js';
import { FeatureCache } from '../models/core/features.js';
import type { Model } from '../models/index.js';
import { AdamW } from '../optim/index.js';
import { scope } from '../tensor/index.js';
import { type TrainingConfig, totalSteps } from './config/index.js';
import type { MemoryPlan } from './memory/index.js';
import { optimizerSettings, parameterGroups } from './parts.js';
import { featureCacheOptions, loadPolicy } from './policy.js';
import { type PrepareOptions, prepareTask } from './preparation.js';
import { dropoutStep, type StepContext, type TrainingTask } from './task.js';

/** What a first step took. */
export interface FirstStep {
  readonly plan: MemoryPlan;
  readonly measured: MemoryReport;
  /** Of loading the weights. */
  readonly loadSeconds: number;
  /** Of the step. */
  readonly seconds: number;
}

/** Options of {@link checkFirstStep}. */
export interface FirstStepOptions<Config extends TrainingConfig> extends PrepareOptions<Config> {
  readonly signal: AbortSignal;
}

/** Takes it; throws what keeps it from being taken. */
export async function checkFirstStep<Config extends TrainingConfig>(
  options: FirstStepOptions<Config>,
): Promise<FirstStep> {
  const { gpu, config } = options;
  const { task, plan, note, explained } = await prepareTask(options);
  check(task.worstStep, 'value', () => `the task ${task.name} does not say what its largest step is`);
  return explained(async () => {
    const begun = performance.now();
    const model = await loadPolicy(gpu, config);
    const loadSeconds = (performance.now() - begun) / 1000;
    model.features = model.vision && new FeatureCache(featureCacheOptions(config));
    try {
      const session = {
        gpu,
        model,
        seed: config.seed,
        totalSteps: totalSteps(config, task.stepsPerEpoch),
        runDir: config.output_dir,
        note,
      };
      await task.prepare(session);
      const start = performance.now();
      await takeStep(options, task, model);
      const seconds = (performance.now() - start) / 1000;
      return { plan, measured: gpu.memory(), loadSeconds, seconds };
    } finally {
      task.close();
      model.clearGradients();
      model.features?.dispose();
      model.dispose();
    }
  });
}

async function takeStep<Config extends TrainingConfig>(
  { gpu, config, signal }: FirstStepOptions<Config>,
  task: TrainingTask,
  model: Model,
): Promise<void> {
  const optimizer = new AdamW(
    gpu,
    parameterGroups(config, model, task.extraParameters),
    optimizerSettings(config),
  );
  const context: StepContext = {
    step: 1,
    signal,
    phase: async (_, body) => body(),
    record: () => {},
    microBatch: (index) => {
      signal.throwIfAborted();
      return dropoutStep(config.seed, 1, index);
    },
  };
  try {
    optimizer.begin(1);
    await scope(async () => task.worstStep?.(context));
    await optimizer.step(config.max_grad_norm);
    await gpu.sync();
  } finally {
    task.extraParameters?.clearGradients();
    optimizer.clearGradients();
    optimizer.dispose();
  }
}
