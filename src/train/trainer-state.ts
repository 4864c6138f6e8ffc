/**
 * `trainer-state/` of a checkpoint: all that a resumed run needs besides the weights. `state.json` has numbers and the
 * task's state, `optimizer.safetensors` the moments and the exact weights, `task.safetensors` the task's arrays.
 */
import { z } from 'zod';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.js';
import { asBytes, type Dtype, viewAs } from '../formats/dtypes.js';
import { SafetensorsError } from '../formats/errors.js';
import { type TensorSource, writeSafetensors } from '../formats/writer.js';
import { fill } from '../models/core/load-weights.js';
import { tensorSource } from '../models/core/save.js';
import { type AdamW, slotTensors } from '../optim/index.js';
import { FileError } from '../platform/errors.js';
import { folderReader, join, makeFolder, namesIn, writeTextFiles } from '../platform/files.js';
import type { Tensor } from '../tensor/index.js';
import type { HostTensor, Json, SavedTaskState, TaskState } from './task.js';

const VERSION = 1;
const OPTIMIZER = 'optimizer.safetensors';
const TASK = 'task.safetensors';

/** Where the loop stood. */
export interface LoopState {
  readonly step: number;
  readonly totalSteps: number;
  readonly numTokens: number;
  /** Steps that were skipped because a gradient was not finite: all, and in a row up to now. */
  readonly nonfiniteSteps: number;
  readonly nonfiniteInARow: number;
  readonly best: BestCheckpoint | null;
  /** Evaluations in a row that were no better; there with `early_stopping_patience` only. */
  readonly evaluationsWithoutGain?: number;
}

/** The best checkpoint so far. */
export interface BestCheckpoint {
  readonly step: number;
  readonly metric: string;
  readonly value: number;
}

/** What is written. */
export interface TrainerState {
  readonly task: string;
  readonly loop: LoopState;
  readonly taskState: TaskState;
  readonly optimizer: AdamW;
  /** Weights whose exact value the model files of the checkpoint do not have, by name. */
  readonly exact: Iterable<readonly [string, Tensor]>;
}

const whole = z.int().nonnegative();
const STATE_FILE = z.object({
  version: z.literal(VERSION),
  task: z.string(),
  loop: z.object({
    step: z.int().positive(),
    totalSteps: z.int().positive(),
    numTokens: whole,
    nonfiniteSteps: whole,
    nonfiniteInARow: whole,
    best: z.object({ step: whole, metric: z.string(), value: z.number() }).nullable(),
    evaluationsWithoutGain: whole.optional(),
  }),
  optimizer_steps: z.record(z.string(), whole),
  task_state: z.json(),
});

type StateFile = Omit<z.output<typeof STATE_FILE>, 'loop' | 'task_state'> & {
  readonly loop: LoopState;
  readonly task_state: Json;
};

function parseState(bytes: Uint8Array, file: string): StateFile {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FileError(file, `is damaged (${(error as Error).message}); resume from another checkpoint`);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (version !== undefined && version !== VERSION)
    throw new FileError(file, `has version ${String(version)}; this Osler reads ${VERSION}`);
  const parsed = STATE_FILE.safeParse(json);
  if (parsed.success) return parsed.data as StateFile;
  const [{ path, message }] = parsed.error.issues;
  throw new FileError(file, `is damaged ("${path.join('.')}": ${message}); resume from another checkpoint`);
}

/** Writes the folder. */
export async function writeTrainerState(dir: string, state: TrainerState): Promise<void> {
  await makeFolder(dir);
  const { slots } = state.optimizer;
  const sources: TensorSource[] = [];
  for (const slot of slots) {
    for (const [kind, tensor] of Object.entries(slotTensors(slot))) {
      sources.push(tensorSource(`${kind}.${slot.name}`, tensor));
    }
  }
  for (const [name, tensor] of state.exact) sources.push(tensorSource(`exact.${name}`, tensor, 'F32'));
  await writeSafetensors(join(dir, OPTIMIZER), sources);
  const arrays = Object.entries(state.taskState.tensors ?? {});
  if (arrays.length > 0)
    await writeSafetensors(
      join(dir, TASK),
      arrays.map(([name, a]) => arraySource(name, a)),
    );
  const file: StateFile = {
    version: VERSION,
    task: state.task,
    loop: state.loop,
    optimizer_steps: Object.fromEntries(slots.map(({ name, steps }) => [name, steps])),
    task_state: state.taskState.json,
  };
  await writeTextFiles(dir, { 'state.json': `${JSON.stringify(file, null, 1)}\n` });
}

function arraySource(name: string, array: HostTensor | Tensor): TensorSource {
  if (!('isTensor' in array)) {
    const dtype: Dtype =
      array.data instanceof Float32Array ? 'F32' : array.data instanceof Int32Array ? 'I32' : 'U32';
    return { name, dtype, shape: array.shape, data: () => asBytes(array.data) };
  }
  return tensorSource(name, array);
}

/** An open `trainer-state/`. */
export class SavedTrainerState {
  readonly dir: string;
  readonly #file: StateFile;
  readonly #optimizer: Checkpoint;
  readonly #task: Checkpoint | null;

  private constructor(dir: string, file: StateFile, optimizer: Checkpoint, task: Checkpoint | null) {
    this.dir = dir;
    this.#file = file;
    this.#optimizer = optimizer;
    this.#task = task;
  }

  /** Opens the state of a checkpoint. */
  static async open(checkpoint: string): Promise<SavedTrainerState> {
    const dir = join(checkpoint, 'trainer-state');
    const read = folderReader(dir);
    const bytes = await read('state.json');
    if (!bytes) {
      throw new SafetensorsError(
        checkpoint,
        'has no trainer-state, so that no run can go on from it; was it written with save_only_model? Name it as model_name_or_path of a new run instead',
      );
    }
    const file = parseState(bytes, join(dir, 'state.json'));
    const optimizer = await openCheckpoint(join(dir, OPTIMIZER));
    const task = (await namesIn(dir)).includes(TASK) ? await openCheckpoint(join(dir, TASK)) : null;
    return new SavedTrainerState(dir, file, optimizer, task);
  }

  /** Refuses a checkpoint of another kind of training, or of another step than its folder says. */
  check(name: string, step: number): void {
    if (this.#file.loop.step !== step) {
      throw new FileError(
        join(this.dir, 'state.json'),
        `is of step ${this.#file.loop.step}, in the checkpoint of step ${step}; resume from another checkpoint`,
      );
    }
    if (this.#file.task === name) return;
    throw new SafetensorsError(
      this.dir,
      `belongs to a run of ${this.#file.task}, not of ${name}; start a new run from its weights`,
    );
  }

  /** Where the loop stood. */
  get loop(): LoopState {
    return this.#file.loop;
  }

  /** Fills in the optimizer and the weights that the model files do not have exactly. */
  async restore(optimizer: AdamW, weights: (name: string) => Tensor | undefined): Promise<void> {
    const file = this.#optimizer;
    for (const slot of optimizer.slots) {
      const { name } = slot;
      const steps = this.#file.optimizer_steps[name];
      if (steps === undefined) {
        throw new SafetensorsError(
          this.dir,
          `has no optimizer state of ${name}; do the config and the run belong together?`,
        );
      }
      slot.steps = steps;
      for (const [kind, tensor] of Object.entries(slotTensors(slot))) {
        await this.#fill(`${kind}.${name}`, tensor);
      }
    }
    for (const stored of file.names().filter((name) => name.startsWith('exact.'))) {
      const tensor = weights(stored.slice('exact.'.length));
      if (!tensor)
        throw new SafetensorsError(file.path, 'belongs to no weight of this model', { tensor: stored });
      await this.#fill(stored, tensor);
    }
  }

  /** The task's part. */
  get taskState(): SavedTaskState {
    const file = this.#task;
    const open = (name: string): Checkpoint => {
      if (file?.has(name)) return file;
      throw new SafetensorsError(join(this.dir, TASK), 'is not there', { tensor: name });
    };
    return {
      json: this.#file.task_state,
      names: () => file?.names() ?? [],
      read: async (name) => {
        const { dtype, shape } = open(name).info(name);
        const view = viewAs((await open(name).read(name)).slice(), dtype);
        if (view instanceof Float32Array || view instanceof Int32Array || view instanceof Uint32Array) {
          return { shape, data: view };
        }
        throw new SafetensorsError(join(this.dir, TASK), `is ${dtype}; fill a device tensor with it`, {
          tensor: name,
        });
      },
      fill: async (name, tensor) => {
        const file = open(name);
        if (tensor.dtype === 'i32' || tensor.dtype === 'u32') {
          tensor.write(
            viewAs((await file.read(name)).slice(), file.info(name).dtype) as Int32Array | Uint32Array,
          );
        } else {
          for await (const _ of fill(file, name, tensor));
        }
      },
    };
  }

  /** Closes the files. */
  async close(): Promise<void> {
    await this.#optimizer.close();
    await this.#task?.close();
  }

  async #fill(name: string, tensor: Tensor): Promise<void> {
    const { shape } = this.#optimizer.info(name);
    if (shape.join() !== tensor.shape.join()) {
      throw new SafetensorsError(
        this.#optimizer.path,
        `is [${shape.join(', ')}], but the weight is [${tensor.shape.join(', ')}]`,
        { tensor: name },
      );
    }
    for await (const _ of fill(this.#optimizer, name, tensor));
  }
}
