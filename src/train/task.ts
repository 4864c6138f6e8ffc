/**
 * What a kind of training (SFT, GRPO, PPO) adds to the shared loop.
 *
 * The loop owns the optimizer, the learning rates, clipping, checkpoints, resume, metrics and events. A task owns its
 * data and its loss: it leaves the gradients of one optimizer step in `.grad` of the model's weights and says what it
 * saw. One step of the loop:
 *
 *     task.step(context)     gradients, over as many micro-batches as the task likes
 *     clip and update        skipped when a gradient is not finite
 *     task.afterUpdate?()    what follows the weights, such as a moving reference
 *     task.evaluate?()       every `eval_steps`
 *     write metrics and records of the step, then a checkpoint every `save_steps`
 *
 * Exact resume rests on three rules. Random numbers are addressed by (seed, step, position), never drawn from a stream
 * whose place depends on the past. All that a later step depends on is in the weights, the optimizer (both the loop's)
 * or `state()`. And `state()` is a snapshot: later steps do not change what it returned.
 */
import type { Gpu } from '../gpu/index.js';
import type { Model } from '../models/index.js';
import type { DropoutStep } from '../nn/linear.js';
import type { Parameters } from '../nn/parameters.js';
import type { Tensor } from '../tensor/index.js';

/** Numbers by the names that TRL logs them under. */
export type Metrics = Readonly<Record<string, number>>;

/** What can be written as JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A kind of training. */
export interface TrainingTask {
  /** `sft`, `grpo` or `ppo`. */
  readonly name: string;
  /** Optimizer steps in one pass over the data; with `num_train_epochs` it gives the length of the run. */
  readonly stepsPerEpoch: number;
  /** Weights beside the model's that train with it, such as a value head; filled in at the latest by `prepare`. */
  readonly extraParameters?: Parameters;
  /** Files that the task read, for the manifests of checkpoints: data, and what users wrote to judge with. */
  readonly inputs?: readonly string[];

  /** The config of a run to resume in today's terms, where an earlier version wrote some of it otherwise. */
  earlierConfig?(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;

  /**
   * The size of the largest step, with other settings than the config's where some are given. Asked before any weight is
   * loaded, for the memory plan; throws on settings that do not go together.
   */
  workload(settings?: Readonly<Record<string, unknown>>): Workload;

  /** Called once, with the weights loaded and before `restore` and the first step. */
  prepare(session: TrainingSession): Promise<void>;

  /**
   * Adds the gradients of one optimizer step to `.grad` of the weights that train (they are empty when it is called), as
   * they shall be applied: already divided by whatever the loss is a mean over. Clipping is the loop's. May throw what
   * `context.microBatch` throws; the loop then takes the step as not begun.
   */
  step(context: StepContext): Promise<StepResult>;

  /**
   * As `step`, of a step that takes as much memory as any: the longest prompts, completions that all reach the cap, full
   * batches; but no more of them than it takes for that. What it learns is thrown away.
   */
  worstStep?(context: StepContext): Promise<void>;

  /** Called after the update of each step, also where it was skipped. */
  afterUpdate?(context: StepContext): Promise<void>;

  /** Metrics on held-out data, named without the prefix `eval/` that they get in the log. */
  evaluate?(context: EvaluationContext): Promise<Metrics>;

  /**
   * All that the next step depends on besides weights and optimizer: the place in the data, a rollout buffer. Called
   * before every step, so cheap: hand out references to arrays that are replaced, not changed. Device tensors may be
   * handed out too if only `afterUpdate` changes them; they are read back when a checkpoint is written.
   */
  state(): TaskState;

  /** Puts back what `state` returned when the checkpoint was written. */
  restore(state: SavedTaskState): Promise<void>;

  /** Frees what `prepare` and the steps allocated. */
  close(): void;
}

/** Sizes from which the memory plan estimates what the largest step needs beside weights and optimizer. */
export interface Workload {
  /** Tokens in the row of the largest micro-batch of the training pass. */
  readonly tokens: number;
  /** Tokens that its longest sequence attends to, a shared prefix included; `tokens` by default. */
  readonly longest?: number;
  /** Image patches of the largest micro-batch. */
  readonly patches: number;
  /** Patches of its largest image; `patches` by default. */
  readonly largestImage?: number;
  /** Rows of the largest micro-batch whose next token enters the loss. */
  readonly targets: number;
  /** Bytes of the KV cache of rollouts; 0 by default. */
  readonly kvBytes?: number;
  /** Further copies of the model's weights that stay on the device, such as a frozen reference; 0 by default. */
  readonly frozenCopies?: number;
  /** What else the task keeps on the device during the training pass; 0 by default. */
  readonly extraBytes?: number;
  /** Settings that would make the largest step smaller, best first; named when the plan does not fit. */
  readonly lower: readonly string[];
}

/** What does not change during a run. */
export interface TrainingSession {
  readonly gpu: Gpu;
  readonly model: Model;
  readonly seed: number;
  /** Optimizer steps of the whole run, those before a resume included. */
  readonly totalSteps: number;
  /** Folder of the run. */
  readonly runDir: string;
  /** Shows the user one line. */
  note(line: string): void;
}

/** One optimizer step, seen from the task. */
export interface StepContext extends EvaluationContext {
  /**
   * Call before each micro-batch, counting from 0: gives the masks for the dropout of its passes, and throws when the run
   * is to stop.
   */
  microBatch(index: number): DropoutStep;
}

/** What steps and evaluations have in common. */
export interface EvaluationContext {
  /** Number of the step, counting from 1. */
  readonly step: number;
  /**
   * Aborted when the run is to stop soon; long work such as a rollout should call `signal.throwIfAborted()`, and let it
   * through. Never aborted during an evaluation, which belongs to a step that is taken already.
   */
  readonly signal: AbortSignal;
  /**
   * Times a part of the step, waiting for the device at its end; logged as `time/<name>`. Calls of the same name add
   * up. Names in use: `data`, `rollout`, `reward`, `reference`, `forward`, `backward`; the loop adds `update`.
   */
  phase<T>(name: string, body: () => T | Promise<T>): Promise<T>;

  /** Tells whoever watches how far a part of the step is that takes long. */
  progress?(part: StepPart): void;

  /**
   * Appends lines to `<name>.jsonl` of the run (such as `completions`), each with the number of the step. They are
   * written when the step is complete and dropped when a resumed run takes the step again.
   */
  record(name: string, lines: readonly Readonly<Record<string, Json>>[]): void;
}

/** How far a part of a step is. */
export interface StepPart {
  /** What is counted, in the plural: `rollout tokens`, `micro-batches`. */
  readonly what: string;
  readonly done: number;
  /** How many there will be; an estimate where `about` is set. */
  readonly of: number;
  readonly about?: boolean;
}

/** What came out of a step. */
export interface StepResult {
  /** `loss` and what else TRL logs for this trainer. The loop adds `grad_norm`, `learning_rate`, `epoch` and times. */
  readonly metrics: Metrics;
  /** Tokens that went through the model in training; summed to `num_tokens`, and divided by time. */
  readonly tokens: number;
}

/** What a task keeps between steps. */
export interface TaskState {
  readonly json: Json;
  /** Arrays that are too large for JSON, by name. */
  readonly tensors?: Readonly<Record<string, HostTensor | Tensor>>;
}

/** An array on the host; a device tensor takes its place where the data lives there. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint32Array;
}

/** A {@link TaskState} that was read from a checkpoint. */
export interface SavedTaskState {
  readonly json: Json;
  /** Names of the arrays. */
  names(): string[];
  /** Reads an array to the host. */
  read(name: string): Promise<HostTensor>;
  /** Reads an array into a device tensor of its shape and dtype. */
  fill(name: string, tensor: Tensor): Promise<void>;
}

/** Dropout masks of a micro-batch of a step: the seed's high word, which `seed` leaves free, is the index. */
export function dropoutStep(seed: number, step: number, index: number): DropoutStep {
  return { seed: seed + index * 2 ** 32, step };
}
