/** Processes of the command line, each a group of its own that can be ended whole. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command line of this checkout. */
export const osler = fileURLToPath(new URL('../../scripts/osler.mjs', import.meta.url));

const living = new Set();

/** Kills whatever still runs. */
export function endAll() {
  for (const signal of living) signal('SIGKILL');
}

/**
 * Starts a training run.
 *
 * @returns `done`, which resolves when it has ended: `code` and `signal` as Node gives them, `hung` if it had to be killed
 *   after `deadline` milliseconds, and what it said; `signal`, which sends one to all of it.
 */
export function train({ dir, config, run, resume = false, deadline, preload, env = {} }) {
  const words = [
    config.command,
    '--config',
    path.join(dir, `${config.name}.yaml`),
    '--set',
    `output_dir=${run}`,
  ];
  if (resume) words.push('--resume');
  const options = preload ? { NODE_OPTIONS: `--import=${new URL(preload, import.meta.url)}` } : {};
  const child = spawn(process.execPath, [osler, ...words], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options, ...env },
  });
  let said = '';
  let hung = false;
  child.stderr.on('data', (text) => {
    said += text;
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended by itself.
    }
  };
  living.add(signal);
  const timer = setTimeout(() => {
    hung = true;
    signal('SIGCONT');
    signal('SIGKILL');
  }, deadline);
  const done = new Promise((resolve) => {
    child.on('close', (code, by) => {
      clearTimeout(timer);
      living.delete(signal);
      resolve({ code, signal: by, hung, said });
    });
  });
  return { done, signal };
}

/** Signals that ask a run to stop. */
export const STOPS = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** Waits. */
export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * What is wrong with how a run ended; undefined for success, for a stop on request, and for one sentence with exit code 1 or 2.
 * Before it has begun, and when all is done, a run that is asked to stop ends by the signal, as programs do.
 */
export function badEnd({ code, signal, hung, said }) {
  if (hung) return 'hung';
  if (code === 0) return undefined;
  if (STOPS.includes(signal) && (!/memory plan/.test(said) || /finished after step/.test(said)))
    return undefined;
  if (code !== 1 && code !== 2) return `ended with ${code}`;
  const lines = said.trim().split('\n');
  if (lines.some((line) => /^\s+at .*[:)]\d*|^(Uncaught|\w*Error:|FATAL)/.test(line)))
    return 'showed a stack';
  const sentences = lines.filter((line) => line.startsWith('osler: ')).length;
  if (sentences === 1 || (code === 1 && /stopped after step/.test(said))) return undefined;
  return `said ${sentences} sentences`;
}
