/**
 * A file that says who works in a folder. Node offers no lock that the system frees with the process, so whoever finds one
 * asks whether its holder lives: on this machine by its process, from elsewhere by the file's time, which the holder renews.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { FileError } from '../errors.js';
import type { FileLock } from '../ports/files.js';
import { unwritable } from './system-errors.js';

/** Milliseconds between signs of life, and after which silence means death. */
const RENEWAL = 5_000;
const SILENCE = 60_000;
/** Others may take, leave or clear a lock between two looks at it; so often in a row they do not. */
const TRIES = 100;
/** Milliseconds that whoever clears a lock is given to end. */
const PAUSE = 20;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in the system's own terms: process numbers are given again. */
  readonly start: string | null;
}

/** Takes the lock, also from a holder that is dead. */
export async function lock(path: string): Promise<FileLock> {
  const own: Holder = { pid: process.pid, host: hostname(), start: await startOf(process.pid) };
  const ticket = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(ticket, JSON.stringify(own));
    for (let tries = 0; tries < TRIES; tries++) {
      if (await linked(ticket, path)) return held(path);
      await clearDead(path, ticket);
    }
    throw new FileError(path, 'is taken again and again by other processes');
  } catch (error) {
    throw error instanceof FileError ? error : unwritable(path, error);
  } finally {
    await rm(ticket, { force: true });
  }
}

/** A link appears with its content, for one process only. */
async function linked(ticket: string, path: string): Promise<boolean> {
  try {
    await link(ticket, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function held(path: string): FileLock {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, RENEWAL);
  timer.unref();
  return {
    release: async () => {
      clearInterval(timer);
      await rm(path, { force: true });
    },
  };
}

/**
 * Removes the lock of a dead holder; refuses while the holder lives. One clears at a time and looks again then: of two at
 * once, the slower would remove the lock that the quicker has taken meanwhile.
 */
async function clearDead(path: string, ticket: string): Promise<void> {
  if (!(await isDead(path, ticket))) return;
  const turn = await lock(`${path}.clearing`).catch(() => undefined);
  if (turn === undefined) return await setTimeout(PAUSE);
  try {
    if (await isDead(path, ticket)) await rm(path, { force: true });
  } finally {
    await turn.release();
  }
}

/** False where there is no lock any more. */
async function isDead(path: string, ticket: string): Promise<boolean> {
  const text = await readIfThere(path);
  if (text === undefined) return false;
  await refuseLiving(path, text, ticket);
  return true;
}

async function refuseLiving(path: string, text: string, ticket: string): Promise<void> {
  const holder = parse(text);
  if (holder === undefined) return;
  const here = holder.host === hostname();
  const lives = here ? await isRunning(holder) : await isFresh(path, ticket);
  if (!lives) return;
  const who = here ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`;
  throw new FileError(path, `is held by ${who}, which works in this folder; wait for it, or end it`);
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, host, start } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === 'number' && typeof host === 'string') return { pid, host, start: start ?? null };
  } catch {
    // A file that no process of ours wrote holds nothing.
  }
  return undefined;
}

async function isRunning({ pid, start }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return start === null || start === (await startOf(pid));
}

/** Compared with a file written just now, since clocks of machines differ. */
async function isFresh(path: string, ticket: string): Promise<boolean> {
  try {
    return (await stat(ticket)).mtimeMs - (await stat(path)).mtimeMs < SILENCE;
  } catch {
    return false;
  }
}

/** On Linux, the process's start in clock ticks since the machine's, which is the 22nd field after its name; else unknown. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readIfThere(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
