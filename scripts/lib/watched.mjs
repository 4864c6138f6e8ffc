/** Runs a command into a log file, measuring the memory of all its processes, and ends it when it takes too much. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';

const EVERY_MS = 500;
/** What is left of a machine's memory to everyone else. */
const MOST_MEMORY = 0.7 * os.totalmem();
/** How long a process may take to tell what came of it after its tests were ended. */
const FAREWELL_MS = 20_000;

/**
 * @param options.log - the file that gets its output
 * @param options.minutes - when it is ended
 * @returns its exit status, seconds, the most bytes that its processes held at once (undefined where there is no /proc), and
 *   why it was ended early, if it was
 */
export async function runWatched([command, ...args], { env, cwd, log, minutes }) {
  const output = fs.openSync(log, 'w');
  const began = performance.now();
  // A group of its own, so that nothing of it outlives it.
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', output, output], detached: true });
  let peak;
  let ended;
  const end = (why) => {
    if (ended) return;
    ended = why;
    // The tests themselves: what started them tells which test it was.
    killQuietly(largest(processesUnder(child.pid))?.pid);
    setTimeout(() => killQuietly(-child.pid), FAREWELL_MS).unref();
  };
  const interrupted = () => {
    killQuietly(-child.pid);
    process.exit(1);
  };
  const watch = setInterval(() => {
    const bytes = processesUnder(child.pid).reduce((sum, { rss }) => sum + rss, 0);
    if (bytes > 0) peak = Math.max(peak ?? 0, bytes);
    if (bytes > MOST_MEMORY) end(`it took ${(bytes / 2 ** 30).toFixed(1)} GiB`);
    if (performance.now() - began > minutes * 60_000) end(`it took more than ${minutes} minutes`);
  }, EVERY_MS);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted);
  const status = await new Promise((resolve) => {
    child.on('error', (error) => {
      fs.writeSync(output, `${error.message}\n`);
      resolve(127);
    });
    child.on('exit', (code, signal) => resolve(code ?? signal));
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupted);
  clearInterval(watch);
  killQuietly(-child.pid);
  fs.closeSync(output);
  return { status, seconds: (performance.now() - began) / 1000, peak, ended };
}

/** A process and all below it, from Linux's /proc; empty elsewhere. */
function processesUnder(root) {
  const all = fs.existsSync('/proc/self/stat')
    ? fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    : [];
  const found = all.map(readProcess).filter(Boolean);
  const below = new Set([root]);
  // Children mostly have higher numbers than their parents; twice round catches those that do not.
  for (const _ of [1, 2]) for (const { pid, parent } of found) if (below.has(parent)) below.add(pid);
  return found.filter(({ pid }) => below.has(pid));
}

function readProcess(pid) {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return { pid: Number(pid), parent: field('PPid'), rss: field('VmRSS') * 1024 };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

function largest(processes) {
  return processes.sort((a, b) => b.rss - a.rss)[0];
}

function killQuietly(pid) {
  if (!pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
