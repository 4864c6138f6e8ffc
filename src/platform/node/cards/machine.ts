/** What the sources of cards ask of the machine. Tests hand them answers that were recorded. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';

/** See above. */
export interface Machine {
  readonly system: NodeJS.Platform;
  readonly memory: number;
  /** What a program prints, whatever its exit code; empty where it is not there or takes too long. */
  run(program: string, words: readonly string[]): Promise<string>;
  /** A small text file, trimmed; empty where it is not there. */
  read(file: string): Promise<string>;
  /** Names in a folder; none where it is not there. */
  list(folder: string): Promise<readonly string[]>;
}

/** A tool that waits for a driver that hangs is not waited for: a plan without the card's memory is better than none. */
const SECONDS = 5;

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  system: process.platform,
  memory: os.totalmem(),
  run: (program, words) =>
    new Promise((resolve) => {
      const options = { timeout: SECONDS * 1000, killSignal: 'SIGKILL', windowsHide: true } as const;
      execFile(program, words, options, (_, out) => resolve(out));
    }),
  read: (file) =>
    readFile(file, 'utf8').then(
      (text) => text.trim(),
      () => '',
    ),
  list: (folder) => readdir(folder).catch(() => []),
};
