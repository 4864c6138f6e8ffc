/**
 * The stages of a start: each has a name, is timed for `osler doctor`, and has a deadline, so that a driver or a network that
 * hangs ends in a sentence. `OSLER_START_SECONDS` is how long a stage may take, 120 by default; 0 lets it take for ever.
 */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { OslerError } from '../../gpu/index.js';

/** What a stage does, and what to try where it does not end. */
const STAGES = {
  relaunch: {
    does: 'starting again with the driver',
    hint: "set OSLER_DRIVER=system to do without Osler's own driver",
  },
  load: { does: 'loading WebGPU', hint: 'install the package anew' },
  adapter: {
    does: 'requestAdapter',
    hint: 'start again, or set OSLER_DRIVER=software to leave the GPU alone',
  },
  device: { does: 'requestDevice', hint: 'start again, or set OSLER_DRIVER=software to leave the GPU alone' },
} as const;

type WatchedStage = keyof typeof STAGES;

/** A stage by its name. `fetch` and `probe` are other processes, which are ended where they are late. */
export type StageName = 'fetch' | 'probe' | WatchedStage;

/** A stage that did not end in time. Whatever hangs may keep the process alive: end it. */
export class StartError extends Error {}

const DEFAULT_SECONDS = 120;

/** How long a stage may take; undefined for ever. */
export function stageSeconds(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env.OSLER_START_SECONDS;
  const seconds = text === undefined || text === '' ? DEFAULT_SECONDS : Number(text);
  if (seconds >= 0 && seconds < 1e6) return seconds || undefined;
  throw new OslerError(
    'value',
    `OSLER_START_SECONDS is "${text}"; use seconds such as ${DEFAULT_SECONDS}, or 0`,
  );
}

/** What ends a stage that is late; `driver` says what it is on. */
export function lateSentence(name: WatchedStage, seconds: number, driver = ''): string {
  const stage = STAGES[name];
  return `the start hung: ${stage.does}${driver && ` (${driver})`} did not end within ${seconds} s; ${stage.hint}; OSLER_START_SECONDS gives it longer`;
}

/** Seconds by stage; stages that came several times are added up. */
const took = new Map<StageName, number>();

/** What the stages took so far, those before a relaunch included. */
export function stageTimes(): Readonly<Partial<Record<StageName, number>>> {
  return Object.fromEntries(took);
}

function count(name: StageName, since: number): void {
  took.set(name, (took.get(name) ?? 0) + (Date.now() - since) / 1000);
}

/** Times a stage that ends by a deadline of its own. */
export function timed<T>(name: StageName, body: () => T): T {
  const since = Date.now();
  try {
    return body();
  } finally {
    count(name, since);
  }
}

/** Times a stage, and throws a {@link StartError} where it is late. One that does not even return ends the process. */
export async function stage<T>(name: WatchedStage, driver: string, body: () => T | Promise<T>): Promise<T> {
  const since = Date.now();
  const seconds = stageSeconds();
  const sentence = lateSentence(name, seconds ?? 0, driver);
  const endWatch = seconds === undefined ? () => {} : watch(sentence, seconds);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    if (seconds !== undefined) timer = setTimeout(() => reject(new StartError(sentence)), seconds * 1000);
  });
  try {
    return await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
    endWatch();
    count(name, since);
  }
}

/**
 * Has another process watch this one, whose timers do not fire while native code hangs. It waits for its input to end, which
 * happens too when this process does; if that takes too long, it prints the sentence and ends this process. Where the system
 * has no `timeout`, nobody watches.
 */
function watch(sentence: string, seconds: number): () => void {
  if (process.platform === 'win32') return () => {};
  const script =
    'timeout "$1" cat >/dev/null 2>&1; [ $? -eq 124 ] && { printf "osler: %s\\n" "$2" >&2; kill -KILL "$3"; }';
  // A second later than the timer, which ends the command in better order.
  const words = ['-c', script, 'sh', `${Math.ceil(seconds) + 1}`, sentence, `${process.pid}`];
  const watcher = spawn('sh', words, { stdio: ['pipe', 'ignore', 'inherit'] });
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  watcher.unref();
  return () => watcher.stdin.end();
}

/** The file through which a launched process says that it is up: it closes it. */
export const UP = 3;

/** What a process that launches another tells it, in `OSLER_STAGES`. */
interface HandedOver {
  readonly took: readonly (readonly [StageName, number])[];
  /** When it was launched, in milliseconds. */
  readonly at: number;
  /** Whether somebody waits for {@link UP} to be closed. */
  readonly waits: boolean;
}

/** The environment by which a launched process learns of the stages before. */
export function handOver(waits: boolean): Record<string, string> {
  const given: HandedOver = { took: [...took], at: Date.now(), waits };
  return { OSLER_STAGES: JSON.stringify(given) };
}

/** Takes over from the process that launched this one. */
function takeOver(): void {
  const text = process.env.OSLER_STAGES;
  if (!text) return;
  // Not meant for those that this process starts.
  delete process.env.OSLER_STAGES;
  const given = JSON.parse(text) as HandedOver;
  for (const [name, seconds] of given.took) took.set(name, seconds);
  count('relaunch', given.at);
  if (given.waits) closeSync(UP);
}

takeOver();
