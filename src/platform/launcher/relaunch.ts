/** Replaces this process by another, or comes as near to it as Node allows. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import type { Readable } from 'node:stream';
import { isMainThread } from 'node:worker_threads';
import { handOver, lateSentence, stageSeconds, UP } from './stages.js';

const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR2',
  'SIGWINCH',
];

/** `process.execve`, which Node has since 22.15 and 23.11. */
type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

/**
 * Runs `command args` with this process's terminal and files, and ends as it ends: with its exit code or by its signal.
 * Never returns to its caller.
 */
export function relaunch(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  const execve = (process as unknown as { execve?: Execve }).execve;
  if (execve && isMainThread && process.platform !== 'win32') {
    execve.call(process, command, [command, ...args], { ...env, ...handOver(false) });
  }
  const [file, fileArgs] = dieWithParent(command, args);
  const child = spawn(file, fileArgs, {
    env: { ...env, ...handOver(true) },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  endWhereLate(child, command);
  const signals = forwardSignals(child);
  return new Promise(() => {
    child.on('error', (error) => {
      console.error(`osler: ${command} could not be started: ${error.message}`);
      process.exit(1);
    });
    child.on('exit', (code, signal) => {
      for (const [name, handler] of signals) process.off(name, handler);
      if (!signal) process.exit(code ?? 1);
      // Whoever waits for us should see what ended the program.
      process.kill(process.pid, signal);
      setTimeout(() => process.exit(128 + (os.constants.signals[signal] ?? 0)), 1000);
    });
  });
}

/** Ends the child and this process where the child does not come up in time. */
function endWhereLate(child: ChildProcess, command: string): void {
  const seconds = stageSeconds();
  if (seconds === undefined) return;
  const timer = setTimeout(() => {
    console.error(`osler: ${lateSentence('relaunch', seconds, command)}`);
    child.kill('SIGKILL');
    process.exit(1);
  }, seconds * 1000);
  const up = child.stdio[UP] as Readable;
  up.on('error', () => {});
  up.on('close', () => clearTimeout(timer)).resume();
}

/**
 * Has the kernel kill the child when this process is killed in a way that it cannot forward (SIGKILL): two trainers must
 * never write one run folder. Returns what to start in its place.
 */
export function dieWithParent(command: string, args: readonly string[]): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  if (process.platform === 'linux' && fs.existsSync(setpriv)) {
    const works = spawnSync(setpriv, ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;
    if (works) return [setpriv, ['--pdeathsig', 'KILL', command, ...args]];
  }
  return [command, [...args]];
}

function forwardSignals(child: ChildProcess): [NodeJS.Signals, () => void][] {
  const handlers: [NodeJS.Signals, () => void][] = [];
  for (const signal of FORWARDED) {
    const handler = () => {
      // The terminal sends Ctrl-C, Ctrl-\ and changes of size to the child too; once is enough.
      const fromTerminal = signal === 'SIGINT' || signal === 'SIGQUIT' || signal === 'SIGWINCH';
      if (!(fromTerminal && process.stdin.isTTY)) child.kill(signal);
    };
    try {
      process.on(signal, handler);
      handlers.push([signal, handler]);
    } catch {
      // Not a signal of this platform.
    }
  }
  return handlers;
}
