/** The loop that all trainers share; `task.ts` says what it asks of a task. */

import { counted } from '../formats/counted.js';
import type { Gpu } from '../gpu/index.js';
import type { Model } from '../models/index.js';
import { AdamW, type Schedule, schedule } from '../optim/index.js';
import { scope } from '../tensor/index.js';
import { CheckpointKeeper } from './checkpoints.js';
import { Clock } from './clock.js';
import { type TrainingConfig, totalSteps, warmupStepsOf } from './config/index.js';
import { EarlyStop } from './early-stop.js';
import { Listeners, type TrainingListener, type TrainingResult } from './events.js';
import { NonFiniteSteps, StepFailure } from './non-finite.js';
import type { Origin } from './origin.js';
import { EXTRA, optimizerSettings, parameterGroups } from './parts.js';
import type { RunFolder } from './run-folder.js';
import {
  dropoutStep,
  type EvaluationContext,
  type Json,
  type Metrics,
  type StepContext,
  type StepPart,
  type StepResult,
  type TaskState,
  type TrainingTask,
} from './task.js';
import { type LoopState, SavedTrainerState } from './trainer-state.js';

/** What a run is made of. */
export interface TrainOptions {
  readonly gpu: Gpu;
  /** With what trains marked, as `loadPolicy` gives it. */
  readonly model: Model;
  readonly config: TrainingConfig;
  readonly task: TrainingTask;
  readonly folder: RunFolder;
  /** Step of the checkpoint to go on from, whose weights `model` has; 0 to start. */
  readonly resumeStep: number;
  /** Files of the model folder that go into every checkpoint. */
  readonly files: Readonly<Record<string, string>>;
  /** What the run is made from, for the manifests of its checkpoints. */
  readonly origin: Origin | Promise<Origin>;
  readonly listeners?: readonly TrainingListener[];
  /** Ends the run early, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** Runs a task to its end, or until it is told to stop. */
export async function train(options: TrainOptions): Promise<TrainingResult> {
  const loop = new Loop(options);
  try {
    return await loop.run();
  } finally {
    await loop.close();
  }
}

/** Never aborts: an evaluation belongs to a step that is taken already. */
const NEVER = new AbortController().signal;

class Loop {
  readonly #options: TrainOptions;
  readonly #listeners: Listeners;
  readonly #clock: Clock;
  readonly #total: number;
  readonly #signal: AbortSignal;
  readonly #nonFinite: NonFiniteSteps;
  readonly #earlyStop: EarlyStop;
  #optimizer: AdamW | null = null;
  #keeper: CheckpointKeeper | null = null;
  #schedule: Schedule;
  #step = 0;
  /** When the step under way began. */
  #begun = performance.now();
  #numTokens = 0;
  #records: [string, Readonly<Record<string, Json>>[]][] = [];

  constructor(options: TrainOptions) {
    const { config, task } = options;
    this.#options = options;
    this.#listeners = new Listeners(options.listeners ?? []);
    this.#clock = new Clock(options.gpu);
    this.#signal = options.signal ?? NEVER;
    this.#total = totalSteps(config, task.stepsPerEpoch);
    this.#earlyStop = new EarlyStop(config);
    this.#nonFinite = new NonFiniteSteps(config.max_nonfinite_steps, (line) => this.#listeners.note(line));
    this.#schedule = schedule({
      name: config.lr_scheduler_type,
      learningRate: config.learning_rate,
      arguments: config.lr_scheduler_kwargs,
      warmupSteps: warmupStepsOf(config, this.#total),
      totalSteps: this.#total,
    });
  }

  async run(): Promise<TrainingResult> {
    const { gpu, model, config, task, folder, resumeStep } = this.#options;
    const session = { gpu, model, seed: config.seed, totalSteps: this.#total, runDir: folder.path };
    await task.prepare({ ...session, note: (line) => this.#listeners.note(line) });
    const groups = parameterGroups(config, model, task.extraParameters);
    this.#optimizer = new AdamW(gpu, groups, optimizerSettings(config));
    const extra = task.extraParameters;
    const { files, origin } = this.#options;
    const source = { task: task.name, model, optimizer: this.#optimizer, files, origin };
    this.#keeper = new CheckpointKeeper(folder, config, extra ? { ...source, extra } : source);
    if (resumeStep > 0) await this.#resume(folder.checkpoint(resumeStep));
    await this.#listeners.start({
      task: task.name,
      runDir: folder.path,
      doneSteps: this.#step,
      totalSteps: this.#total,
      config,
    });
    if (config.eval_on_start && this.#step === 0) await this.#evaluateAtStart();

    let metrics: Metrics = {};
    let outcome: TrainingResult['outcome'] = 'finished';
    while (this.#step < this.#total && !this.#earlyStop.due) {
      // As it is before the step, for a step that is broken off.
      const before = task.state();
      const taken = await this.#tryStep(before);
      if (taken) metrics = taken.metrics;
      const stop = this.#signal.aborted;
      if (!taken || stop || taken.save) await this.#save(taken ? task.state() : before);
      if (stop && this.#step < this.#total && !this.#earlyStop.due) {
        outcome = 'stopped';
        break;
      }
    }
    const keeper = this.#keeper;
    if (this.#earlyStop.due && this.#step < this.#total) {
      this.#listeners.note(
        `${counted(this.#earlyStop.waited, 'evaluation')} without a gain: the run ends early, and the best was that of step ${keeper.best?.step}`,
      );
    }
    const result = {
      outcome,
      step: this.#step,
      totalSteps: this.#total,
      checkpoint: config.load_best_model_at_end ? keeper.bestPath : keeper.lastPath,
      best: keeper.best,
      metrics,
    };
    await this.#listeners.end(result);
    return result;
  }

  async close(): Promise<void> {
    await this.#listeners.close();
    await this.#options.folder.close();
    this.#clearGradients();
    this.#optimizer?.dispose();
    this.#options.task.close();
  }

  /** One step; null if it was broken off because the run is to stop. */
  async #tryStep(before: TaskState): Promise<{ metrics: Metrics; save: boolean } | null> {
    const { gpu, config, task } = this.#options;
    const step = this.#step + 1;
    const start = performance.now();
    this.#begun = start;
    gpu.resetPeakMemory();
    this.#clock.take();
    this.#records = [];
    const context = this.#stepContext(step);
    let result: StepResult;
    (this.#optimizer as AdamW).begin(this.#schedule(step));
    try {
      result = await scope(() => task.step(context));
    } catch (error) {
      this.#clearGradients();
      if (this.#signal.aborted && error === this.#signal.reason) return null;
      if (error instanceof StepFailure) await this.#save(before);
      throw error;
    }
    const update = await this.#update(step, result);
    await task.afterUpdate?.(context);
    this.#step = step;
    this.#numTokens += result.tokens;
    const evaluation = this.#due(step, config.eval_strategy, config.eval_steps)
      ? await this.#evaluate(step)
      : {};
    const keeper = this.#keeper as CheckpointKeeper;
    this.#earlyStop.saw(evaluation, keeper.best);
    const better = keeper.isBest(step, evaluation);
    const seconds = (performance.now() - start) / 1000;
    const metrics: Metrics = {
      epoch: step / task.stepsPerEpoch,
      ...result.metrics,
      ...update,
      num_tokens: this.#numTokens,
      nonfinite_steps: this.#nonFinite.total,
      ...evaluation,
      step_time: seconds,
      tokens_per_second: result.tokens / seconds,
      'memory/peak_bytes': gpu.memory().peakTotal,
      ...visionMetrics(this.#options.model),
      ...this.#clock.take(),
    };
    await this.#write(step, metrics);
    const last = step === this.#total || this.#earlyStop.due;
    const due = last || this.#due(step, config.save_strategy, config.save_steps);
    return { metrics, save: due || better };
  }

  async #update(step: number, result: StepResult): Promise<Metrics> {
    const { config } = this.#options;
    const optimizer = this.#optimizer as AdamW;
    const { gradNorm, applied, nonFinite } = await this.#clock.phase('update', () =>
      optimizer.step(config.max_grad_norm),
    );
    if (applied) this.#nonFinite.passed();
    else this.#nonFinite.skipped(step, result.metrics, nonFinite);
    this.#clearGradients();
    return { grad_norm: gradNorm, learning_rate: config.learning_rate * this.#schedule(step) };
  }

  #stepContext(step: number): StepContext {
    return {
      ...this.#evaluationContext(step, this.#signal),
      microBatch: (index) => {
        this.#signal.throwIfAborted();
        const of = this.#options.config.gradient_accumulation_steps;
        this.#tell(step, { what: 'micro-batches', done: index, of: Math.max(of, index + 1) });
        return dropoutStep(this.#options.config.seed, step, index);
      },
    };
  }

  #evaluationContext(step: number, signal: AbortSignal): EvaluationContext {
    return {
      step,
      signal,
      phase: (name, body) => this.#clock.phase(name, body),
      progress: (part) => this.#tell(step, part),
      record: (name, lines) => void this.#records.push([name, lines.map((line) => ({ step, ...line }))]),
    };
  }

  #tell(step: number, part: StepPart): void {
    const seconds = (performance.now() - this.#begun) / 1000;
    this.#listeners.progress({ step, totalSteps: this.#total, seconds, part });
  }

  async #evaluate(step: number): Promise<Metrics> {
    const { task } = this.#options;
    if (!task.evaluate) return {};
    const context = this.#evaluationContext(step, NEVER);
    const found = await scope(() => task.evaluate?.(context));
    return Object.fromEntries(Object.entries(found ?? {}).map(([name, value]) => [`eval/${name}`, value]));
  }

  async #evaluateAtStart(): Promise<void> {
    const metrics = await this.#evaluate(0);
    await this.#write(0, { epoch: 0, ...metrics, ...this.#clock.take() });
  }

  #due(step: number, strategy: 'no' | 'steps' | 'epoch', every: number): boolean {
    if (strategy === 'no') return false;
    return step % (strategy === 'epoch' ? this.#options.task.stepsPerEpoch : every) === 0;
  }

  async #write(step: number, metrics: Metrics): Promise<void> {
    const { folder } = this.#options;
    for (const [name, lines] of this.#records) await folder.log(name, lines);
    this.#records = [];
    await folder.log('metrics', [{ step, ...metrics }]);
    await this.#listeners.step({ step, totalSteps: this.#total, metrics });
  }

  async #save(taskState: TaskState): Promise<void> {
    const keeper = this.#keeper as CheckpointKeeper;
    if (!(await keeper.save(this.#state(), taskState))) return;
    await this.#listeners.checkpoint({ step: this.#step, path: keeper.lastPath as string });
  }

  #state(): Omit<LoopState, 'best'> {
    return {
      step: this.#step,
      totalSteps: this.#total,
      numTokens: this.#numTokens,
      nonfiniteSteps: this.#nonFinite.total,
      nonfiniteInARow: this.#nonFinite.inARow,
      ...(this.#options.config.early_stopping_patience === null
        ? {}
        : { evaluationsWithoutGain: this.#earlyStop.waited }),
    };
  }

  async #resume(checkpoint: string): Promise<void> {
    const { model, task } = this.#options;
    const saved = await SavedTrainerState.open(checkpoint);
    try {
      saved.check(task.name, this.#options.resumeStep);
      const extra = (name: string) => task.extraParameters?.find(name.slice(EXTRA.length));
      await saved.restore(this.#optimizer as AdamW, (name) =>
        name.startsWith(EXTRA) ? extra(name) : model.findParameter(name),
      );
      await task.restore(saved.taskState);
      const { step, numTokens, best, totalSteps: planned } = saved.loop;
      this.#step = step;
      this.#numTokens = numTokens;
      const keeper = this.#keeper as CheckpointKeeper;
      keeper.lastStep = step;
      keeper.best = best;
      this.#earlyStop.waited = saved.loop.evaluationsWithoutGain ?? 0;
      this.#nonFinite.restore(saved.loop.nonfiniteSteps, saved.loop.nonfiniteInARow);
      if (planned !== this.#total) {
        this.#listeners.note(
          `the run had ${counted(planned, 'step')} and now has ${this.#total}; learning rates follow the new length`,
        );
      }
    } finally {
      await saved.close();
    }
  }

  #clearGradients(): void {
    this.#options.model.clearGradients();
    this.#options.task.extraParameters?.clearGradients();
    this.#optimizer?.clearGradients();
  }
}

/** Pictures that went through the tower in this step, and that were kept from before. */
function visionMetrics({ features }: Model): Metrics {
  if (!features) return {};
  const { encoded, found } = features.take();
  return { 'vision/encoded': encoded, 'vision/found': found };
}
