/** The folder of a run: config, logs by step, checkpoints. */

import { FileError, PlaceError } from '../platform/errors.js';
import {
  type AppendFile,
  appendTo,
  atomicWrite,
  type FileLock,
  join,
  keepLines,
  lockFile,
  makeFolder,
  namesIn,
  readIfThere,
  recoverFolder,
  removeAll,
} from '../platform/files.js';
import { configError, parseYamlFile } from './config/index.js';
import { verifyCheckpoint } from './manifest.js';
import { PROGRESS_FILE } from './progress-file.js';
import type { Json } from './task.js';

const CHECKPOINTS = 'checkpoints';
/** What a run writes besides; nothing else in the folder is touched. */
const OWN = [
  CHECKPOINTS,
  'metrics.jsonl',
  'completions.jsonl',
  'best.json',
  PROGRESS_FILE,
  'tensorboard',
  'wandb',
  'cluster',
];
const CONFIG = 'config.yaml';
const LOCK = 'run.lock';

/** A run's folder. Logs have one JSON object a line, each with its `step`. */
export class RunFolder {
  readonly path: string;
  readonly #logs = new Map<string, AppendFile>();
  readonly #lock: FileLock | null;

  /** Opens a folder that exists; see {@link createRun} and {@link resumeRun}, which hold its lock. */
  constructor(path: string, lock: FileLock | null = null) {
    this.path = path;
    this.#lock = lock;
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

  /** Closes the logs, and lets others have the folder. */
  async close(): Promise<void> {
    for (const file of this.#logs.values()) await file.close();
    this.#logs.clear();
    await this.#lock?.release();
  }
}

/** Makes the folder of a new run. */
export async function createRun(path: string, overwrite: boolean): Promise<RunFolder> {
  await usable(() => makeFolder(path));
  return locked(path, async (lock) => {
    const taken = (await namesIn(path)).filter((name) => OWN.includes(name));
    if (taken.length > 0 && !overwrite) {
      throw configError(
        `the config's "output_dir"`,
        `is ${JSON.stringify(path)}, which holds a run (${taken.join(', ')}); pass --resume to go on with it, choose another folder, or set overwrite_output_dir: true`,
      );
    }
    if (taken.length > 0 && !(await isRun(path))) {
      throw configError(
        `the config's "output_dir"`,
        `is ${JSON.stringify(path)}, which has ${taken.join(', ')} but no ${CONFIG} of a run; overwrite_output_dir replaces runs only, so delete them yourself or choose another folder`,
      );
    }
    await usable(async () => {
      for (const name of taken) await removeAll(join(path, name));
      await makeFolder(join(path, CHECKPOINTS));
    });
    return new RunFolder(path, lock);
  });
}

/** Whether a folder has the config that every run writes. */
async function isRun(path: string): Promise<boolean> {
  const bytes = await readIfThere(join(path, CONFIG));
  if (bytes === undefined) return false;
  try {
    const config = parseYamlFile(CONFIG, new TextDecoder().decode(bytes));
    return 'model_name_or_path' in config && 'output_dir' in config;
  } catch {
    return false;
  }
}

/** Runs `body` with the folder's lock, which is released if it fails. */
async function locked<T>(path: string, body: (lock: FileLock) => Promise<T>): Promise<T> {
  let lock: FileLock;
  try {
    lock = await lockFile(join(path, LOCK));
  } catch (error) {
    if (!(error instanceof FileError || error instanceof PlaceError)) throw error;
    throw configError(`the config's "output_dir"`, `cannot be used: ${error.message}`);
  }
  try {
    return await body(lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
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

/**
 * Opens the folder of an interrupted run as it was when its last checkpoint was written. A checkpoint whose files are not
 * what they were is passed over, which `note` is told.
 */
export async function resumeRun(path: string, note: (line: string) => void): Promise<Resumed> {
  const names = await namesIn(path);
  if (!names.includes(CONFIG) && !names.includes(CHECKPOINTS)) {
    throw configError(
      `the config's "output_dir"`,
      `is ${JSON.stringify(path)}, where there is no run to resume; start without --resume`,
    );
  }
  return locked(path, async (lock) => {
    const folder = new RunFolder(path, lock);
    await usable(() => makeFolder(join(path, CHECKPOINTS)));
    await recoverFolder(path);
    await recoverFolder(join(path, CHECKPOINTS));
    const step = await lastIntact(folder, note);
    for (const name of names.filter((file) => file.endsWith('.jsonl'))) {
      await keepLines(join(path, name), (line) => stepOf(line) <= step);
    }
    return { folder, step };
  });
}

/** The step of the last checkpoint that is as it was written; 0 if the run has none at all. */
async function lastIntact(folder: RunFolder, note: (line: string) => void): Promise<number> {
  const steps = (await folder.checkpoints()).reverse();
  for (const step of steps) {
    const verdict = await verifyCheckpoint(folder.checkpoint(step));
    if (verdict.kind !== 'damaged') return step;
    note(`warning: ${folder.checkpoint(step)} is damaged (${verdict.problems.join('; ')}) and passed over`);
  }
  if (steps.length === 0) return 0;
  throw configError(
    `the config's "output_dir"`,
    `is ${JSON.stringify(folder.path)}, whose checkpoints are all damaged; restore one from a copy, or start a new run with overwrite_output_dir: true`,
  );
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
