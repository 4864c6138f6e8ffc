/**
 * Keeps lines that native code prints from reaching people.
 *
 * Dawn writes warnings that no setting turns off straight to the process's file 2. While it is called, which prints before it
 * returns, that file is another one, whose other lines are passed on. Where this could harm anyone, nothing is changed: in a
 * worker or while files are being opened, since another thread might be given the number 2; and where what file 2 leads to
 * cannot be opened anew and still be the same: sockets, and files that are written from where they stand.
 */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** What Dawn says of drivers that allow more than it uses: harmless, and nobody can do anything about it. */
export const DAWN_NOISE =
  /^Warning: \w+ artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit\.$/m;

const STDERR = 2;
const { O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY } = fs.constants;

/** What a process waits for without opening files meanwhile. */
const OPENS_NOTHING = /^(Close|TTY|Pipe|TCP|Timeout|Immediate|Signal|Process|MessagePort)/;
/** How often others are let finish with their files first; a program that goes on opening some is not kept waiting. */
const TURNS = 20;

/** What `call` gives; whole lines that fit `noise` and that it prints to file 2 before it returns are dropped. */
export async function withoutLines<T>(noise: RegExp, call: () => T): Promise<Awaited<T>> {
  for (let turn = 0; turn < TURNS && opensFiles(); turn++) await new Promise(setImmediate);
  const diverted = divert();
  try {
    // Awaited by the caller, so that file 2 is led back before anything else happens.
    return call() as Awaited<T>;
  } finally {
    const lines = diverted?.restore().split(/(?<=\n)/) ?? [];
    const rest = lines.filter((line) => !noise.test(line)).join('');
    if (rest) fs.writeSync(STDERR, rest);
  }
}

function opensFiles(): boolean {
  return !process.getActiveResourcesInfo().every((name) => OPENS_NOTHING.test(name));
}

/** Leads file 2 elsewhere; `restore` leads it back and returns what was printed. Undefined where it is better left alone. */
function divert(): { restore(): string } | undefined {
  if (!isMainThread || process.platform !== 'linux' || opensFiles()) return undefined;
  const open: number[] = [];
  try {
    if (!canReopen()) return undefined;
    open.push(reopen(STDERR));
    open.push(temporaryFile());
  } catch {
    for (const fd of open) fs.closeSync(fd);
    return undefined;
  }
  const [own, caught] = open;
  replace(STDERR, caught);
  return {
    restore() {
      replace(STDERR, own);
      const text = fs.readFileSync(`/proc/self/fd/${caught}`, 'utf8');
      for (const fd of open) fs.closeSync(fd);
      return text;
    },
  };
}

/** Whether writing to file 2 and to what it leads to, opened anew, is the same. */
function canReopen(): boolean {
  const kind = fs.fstatSync(STDERR);
  if (kind.isFile()) {
    const flags = /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${STDERR}`, 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & O_APPEND) !== 0;
  }
  if (!kind.isFIFO()) return kind.isCharacterDevice();
  // Opening a pipe that nobody reads any more would wait for a reader, or fail so.
  fs.closeSync(fs.openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK));
  return true;
}

function reopen(fd: number): number {
  return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_APPEND);
}

function temporaryFile(): number {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'osler-'));
  try {
    return fs.openSync(path.join(folder, 'stderr'), O_RDWR | fs.constants.O_CREAT, 0o600);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Node cannot duplicate a file, but a file that is opened gets the lowest number that is free: none below 2 is. */
function replace(fd: number, by: number): void {
  fs.closeSync(fd);
  const got = reopen(by);
  if (got !== fd) throw new Error(`file ${fd} was taken by another thread`);
}
