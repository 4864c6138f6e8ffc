/** Writing and keeping checkpoints. */
import { atomicReplaceDir } from '../io/atomic.js';
import { join } from '../io/data-files.js';
import type { Model, StoredDtype } from '../models/index.js';
import { saveAdapter, saveModel } from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import type { AdamW } from '../optim/index.js';
import type { Tensor } from '../tensor/index.js';
import { EXTRA } from './parts.js';
import type { RunFolder } from './run-folder.js';
import type { TaskState } from './task.js';
import { type LoopState, writeTrainerState } from './trainer-state.js';

/** What a checkpoint is made of. */
export interface CheckpointSource {
  readonly task: string;
  readonly model: Model;
  readonly extra?: Parameters;
  readonly optimizer: AdamW;
  /** Tokenizer and other files of the model folder. */
  readonly files: Readonly<Record<string, string>>;
  /** Leave out `trainer-state/`. */
  readonly modelOnly: boolean;
}

const STORED: Readonly<Record<string, StoredDtype>> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

/** Writes a step's checkpoint: all of it appears at one instant, or nothing. */
export async function writeCheckpointFolder(
  folder: RunFolder,
  source: CheckpointSource,
  loop: LoopState,
  taskState: TaskState,
): Promise<string> {
  const path = folder.checkpoint(loop.step);
  const { model, extra } = source;
  const dtype = STORED[model.embeddings.dtype];
  await folder.sync();
  await atomicReplaceDir(path, async (dir) => {
    if (model.adapter) await saveAdapter(model.adapter, dir, source.files);
    else await saveModel(dir, model.config, model.parameters.entries(), { dtype, files: source.files });
    if (source.modelOnly) return;
    await writeTrainerState(join(dir, 'trainer-state'), {
      task: source.task,
      loop,
      taskState,
      optimizer: source.optimizer,
      exact: exactWeights(model, dtype, extra),
    });
  });
  return path;
}

/** Weights that the model files round, or do not have: norms and biases beside 16-bit matrices, what a task added. */
function* exactWeights(
  model: Model,
  dtype: StoredDtype,
  extra: Parameters | undefined,
): Generator<[string, Tensor]> {
  if (dtype !== 'float32' && !model.adapter) {
    for (const [name, tensor] of model.parameters.trainable())
      if (tensor.dtype === 'f32') yield [name, tensor];
  }
  for (const [name, tensor] of extra?.entries() ?? []) yield [`${EXTRA}${name}`, tensor];
}

/** Deletes checkpoints beyond the last `limit`, but never the best or the latest. */
export async function pruneCheckpoints(
  folder: RunFolder,
  limit: number | null,
  best: number | undefined,
): Promise<void> {
  if (limit === null) return;
  const steps = (await folder.checkpoints()).filter((step) => step !== best);
  for (const step of steps.slice(0, Math.max(0, steps.length - limit))) await folder.removeCheckpoint(step);
}
