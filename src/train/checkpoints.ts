/** Writing and keeping checkpoints. */

import type { Model } from '../models/index.js';
import { saveAdapter, saveModel } from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import type { AdamW } from '../optim/index.js';
import { join, replaceFolder } from '../platform/files.js';
import { type FloatDType, formatOf, type Tensor, type TorchFloat } from '../tensor/index.js';
import { bestRule, type TrainingConfig } from './config/index.js';
import { writeManifest } from './manifest.js';
import { TrainingFailure } from './non-finite.js';
import type { Origin } from './origin.js';
import { EXTRA } from './parts.js';
import type { RunFolder } from './run-folder.js';
import type { Metrics, TaskState } from './task.js';
import { type BestCheckpoint, type LoopState, writeTrainerState } from './trainer-state.js';

/** What a checkpoint is made of. */
export interface CheckpointSource {
  readonly task: string;
  readonly model: Model;
  readonly extra?: Parameters;
  readonly optimizer: AdamW;
  /** Tokenizer and other files of the model folder. */
  readonly files: Readonly<Record<string, string>>;
  /** What the run is made from. */
  readonly origin: Origin | Promise<Origin>;
}

/** Writes a run's checkpoints, and keeps the last ones and the best. */
export class CheckpointKeeper {
  readonly #folder: RunFolder;
  readonly #config: TrainingConfig;
  readonly #source: CheckpointSource;
  /** Step of the last checkpoint; 0 while there is none. */
  lastStep = 0;
  best: BestCheckpoint | null = null;

  constructor(folder: RunFolder, config: TrainingConfig, source: CheckpointSource) {
    this.#folder = folder;
    this.#config = config;
    this.#source = source;
  }

  /** Folder of the last checkpoint. */
  get lastPath(): string | null {
    return this.lastStep > 0 ? this.#folder.checkpoint(this.lastStep) : null;
  }

  /** Folder of the best checkpoint, or of the last where none is. */
  get bestPath(): string | null {
    return this.best ? this.#folder.checkpoint(this.best.step) : this.lastPath;
  }

  /** Whether an evaluation is the best so far. */
  isBest(step: number, evaluation: Metrics): boolean {
    const rule = bestRule(this.#config);
    const value = rule ? evaluation[rule.metric] : undefined;
    if (rule === null || value === undefined || Number.isNaN(value)) return false;
    const { metric, greaterIsBetter } = rule;
    const better = !this.best || (greaterIsBetter ? value > this.best.value : value < this.best.value);
    if (better) this.best = { step, metric, value };
    return better;
  }

  /** Writes the checkpoint of a step: all of it appears at one instant, or nothing. False if there is one already. */
  async save(loop: Omit<LoopState, 'best'>, taskState: TaskState): Promise<boolean> {
    if (loop.step === 0 || loop.step === this.lastStep) return false;
    try {
      await this.#write({ ...loop, best: this.best }, taskState);
    } catch (error) {
      const last = this.lastStep;
      const rest =
        last > 0 ? `that of step ${last} is intact; go on from it with --resume` : 'there is none before it';
      throw new TrainingFailure(
        `the checkpoint of step ${loop.step} could not be written: ${(error as Error).message}; ${rest}`,
        { cause: error },
      );
    }
    this.lastStep = loop.step;
    if (this.best) await this.#folder.write('best.json', `${JSON.stringify(this.best)}\n`);
    await this.#prune();
    return true;
  }

  async #write(loop: LoopState, taskState: TaskState): Promise<void> {
    const { task, model, extra, optimizer, files, origin } = this.#source;
    const dtype = formatOf(model.embeddings.dtype as FloatDType).torch;
    await this.#folder.sync();
    await replaceFolder(this.#folder.checkpoint(loop.step), async (dir) => {
      if (model.adapter) await saveAdapter(model.adapter, dir, files);
      else await saveModel(dir, model.config, model.parameters.entries(), { dtype, files });
      if (!this.#config.save_only_model) {
        const exact = exactWeights(model, dtype, extra);
        await writeTrainerState(join(dir, 'trainer-state'), { task, loop, taskState, optimizer, exact });
      }
      await writeManifest(dir, { step: loop.step, task, gpu: model.gpu, origin: await origin });
    });
  }

  /** Deletes checkpoints beyond the limit, but never the best. */
  async #prune(): Promise<void> {
    const { save_total_limit: limit } = this.#config;
    if (limit === null) return;
    const steps = (await this.#folder.checkpoints()).filter((step) => step !== this.best?.step);
    for (const step of steps.slice(0, Math.max(0, steps.length - limit))) {
      await this.#folder.removeCheckpoint(step);
    }
  }
}

/** Weights that the model files round, or do not have: norms and biases beside 16-bit matrices, what a task added. */
function* exactWeights(
  model: Model,
  dtype: TorchFloat,
  extra: Parameters | undefined,
): Generator<[string, Tensor]> {
  if (dtype !== 'float32' && !model.adapter) {
    for (const [name, tensor] of model.parameters.trainable())
      if (tensor.dtype === 'f32') yield [name, tensor];
  }
  for (const [name, tensor] of extra?.entries() ?? []) yield [`${EXTRA}${name}`, tensor];
}
