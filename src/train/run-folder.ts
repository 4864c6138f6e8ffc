/** The folder of a run: config, logs by step, checkpoints. */

import { PlaceError } from '../platform/errors.js';
import {
  type AppendFile,
  appendTo,
  atomicWrite,
  join,
  keepLines,
  makeFolder,
  namesIn,
  recoverFolder,
  removeAll,
} from '../platform/files.js';
import { configError } from './config/index.js';
import type { Json } from './task.js';

const CHECKPOINTS = 'checkpoints';
/** What a run writes besides; nothing else in the folder is touched. */
const OWN = [CHECKPOINTS, 'metrics.jsonl', 'completions.jsonl', 'best.json', 'tensorboard', 'wandb'];
const CONFIG = 'config.yaml';

/** A run's folder. Logs have one JSON object a line, each with its `step`. */
export class RunFolder {
  readonly path: string;
  readonly #logs = new Map<string, AppendFile>();

  /** Opens a folder that exists; see {@link createRun} and {@link resumeRun}. */
  constructor(path: string) {
    this.path = path;
  }

  /** Folder of a step's checkpoint. */
  checkpoint(step: number): string {
    return join(this.path, CHECKPOINTS, `step-${String(step).padStart(6, '0')}`);
  }

  /** Steps that have a checkpoint, in order. */
  async checkpoints(): Promise<number[]> {
    const names = await namesIn(join(this.path, CHECKPOINTS));
    const steps = names.flatMap((name) => /^step-(\d{6,})$/.exec(name)?.[1] ?? []);
    return steps.map(Number).sort((a, b) => a - b);
  }

  /** Deletes a step's checkpoint. */
  async removeCheckpoint(step: number): Promise<void> {
    await removeAll(this.checkpoint(step));
  }

  /** Appends lines to a log. */
  async log(name: string, lines: readonly Readonly<Record<string, Json>>[]): Promise<void> {
    if (lines.length === 0) return;
    let file = this.#logs.get(name);
    if (!file) {
      file = await appendTo(join(this.path, `${name}.jsonl`));
      this.#logs.set(name, file);
    }
    await file.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** Waits until the logs are on disk: a checkpoint must not know of steps that they lack. */
  async sync(): Promise<void> {
    for (const file of this.#logs.values()) await file.sync();
  }

  /** Replaces a small file of the folder. */
  async write(name: string, text: string): Promise<void> {
    await atomicWrite(join(this.path, name), text);
  }

  /** Closes the logs. */
  async close(): Promise<void> {
    for (const file of this.#logs.values()) await file.close();
    this.#logs.clear();
  }
}

/** Makes the folder of a new run. */
export async function createRun(path: string, overwrite: boolean): Promise<RunFolder> {
  await usable(() => makeFolder(path));
  const taken = (await namesIn(path)).filter((name) => OWN.includes(name));
  if (taken.length > 0 && !overwrite) {
    throw configError(
      `the config's "output_dir"`,
      `is ${JSON.stringify(path)}, which holds a run (${taken.join(', ')}); pass --resume to go on with it, choose another folder, or set overwrite_output_dir: true`,
    );
  }
  await usable(async () => {
    for (const name of taken) await removeAll(join(path, name));
    await makeFolder(join(path, CHECKPOINTS));
  });
  return new RunFolder(path);
}

/** Names the setting that a folder which cannot be written comes from. */
async function usable(prepare: () => Promise<void>): Promise<void> {
  try {
    await prepare();
  } catch (error) {
    if (!(error instanceof PlaceError)) throw error;
    throw configError(`the config's "output_dir"`, `cannot be used: ${error.message}; choose another folder`);
  }
}

/** A run that was interrupted. */
export interface Resumed {
  readonly folder: RunFolder;
  /** The step of its last checkpoint; 0 when it has none and starts anew. */
  readonly step: number;
}

/** Opens the folder of an interrupted run as it was when its last checkpoint was written. */
export async function resumeRun(path: string): Promise<Resumed> {
  const names = await namesIn(path);
  if (!names.includes(CONFIG) && !names.includes(CHECKPOINTS)) {
    throw configError(
      `the config's "output_dir"`,
      `is ${JSON.stringify(path)}, where there is no run to resume; start without --resume`,
    );
  }
  const folder = new RunFolder(path);
  await usable(() => makeFolder(join(path, CHECKPOINTS)));
  await recoverFolder(path);
  await recoverFolder(join(path, CHECKPOINTS));
  const step = (await folder.checkpoints()).at(-1) ?? 0;
  for (const name of names.filter((file) => file.endsWith('.jsonl'))) {
    await keepLines(join(path, name), (line) => stepOf(line) <= step);
  }
  return { folder, step };
}

/** The step of a log's line; a line that is damaged counts as later than all. */
function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

export { CONFIG as CONFIG_FILE };

/** The kernel variants that the run uses. */
export const KERNELS_FILE = 'kernels.json';
