/** What a run tells those who watch it. */

import type { Metrics, StepPart } from './task.js';
import type { BestCheckpoint } from './trainer-state.js';

/** The run, as it begins or goes on. */
export interface RunStart {
  readonly task: string;
  readonly runDir: string;
  /** Steps that an earlier process took. */
  readonly doneSteps: number;
  readonly totalSteps: number;
  /** The config, complete. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A finished step. */
export interface StepEvent {
  readonly step: number;
  readonly totalSteps: number;
  readonly metrics: Metrics;
}

/** How far a step is that is not finished. */
export interface ProgressEvent {
  readonly step: number;
  readonly totalSteps: number;
  /** Since the step began. */
  readonly seconds: number;
  readonly part: StepPart;
}

/** A checkpoint that is complete on disk. */
export interface CheckpointEvent {
  readonly step: number;
  readonly path: string;
}

/** How a run ended. */
export interface TrainingResult {
  /** `finished`: all steps; `stopped`: on request, resumable. */
  readonly outcome: 'finished' | 'stopped';
  readonly step: number;
  readonly totalSteps: number;
  readonly checkpoint: string | null;
  readonly best: BestCheckpoint | null;
  /** Metrics of the last step that this process took. */
  readonly metrics: Metrics;
}

/** Somebody who watches. All methods are optional; the run waits for what they return. */
export interface TrainingListener {
  /** Before the first step. */
  onStart?(event: RunStart): void | Promise<void>;
  /** Often, while a step is under way; nobody waits for it. */
  onProgress?(event: ProgressEvent): void;
  /** After the step is in metrics.jsonl. */
  onStep?(event: StepEvent): void | Promise<void>;
  /** After a checkpoint is complete. */
  onCheckpoint?(event: CheckpointEvent): void | Promise<void>;
  /** One line for the user. */
  onNote?(line: string): void;
  /** After the last step. */
  onEnd?(result: TrainingResult): void | Promise<void>;
  /** Called last, whether the run ended well or not. */
  close?(): void | Promise<void>;
}

/** Sends events to several listeners in order. */
export class Listeners {
  readonly #all: readonly TrainingListener[];

  /** The order is that of the calls. */
  constructor(all: readonly TrainingListener[]) {
    this.#all = all;
  }

  async start(event: RunStart): Promise<void> {
    for (const listener of this.#all) await listener.onStart?.(event);
  }

  async step(event: StepEvent): Promise<void> {
    for (const listener of this.#all) await listener.onStep?.(event);
  }

  progress(event: ProgressEvent): void {
    for (const listener of this.#all) listener.onProgress?.(event);
  }

  async checkpoint(event: CheckpointEvent): Promise<void> {
    for (const listener of this.#all) await listener.onCheckpoint?.(event);
  }

  note(line: string): void {
    for (const listener of this.#all) listener.onNote?.(line);
  }

  async end(result: TrainingResult): Promise<void> {
    for (const listener of this.#all) await listener.onEnd?.(result);
  }

  async close(): Promise<void> {
    for (const listener of this.#all) await listener.close?.();
  }
}
