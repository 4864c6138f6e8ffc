// Tells how much other processes used the machine's cores during a measurement (Linux only; elsewhere: never).
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

const TICK_MS = 10; // USER_HZ is 100 on Linux
const CORES = Math.max(1, cpus().length);

function busyMs() {
  try {
    const [user, nice, system, , , irq, softIrq, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user + nice + system + irq + softIrq + steal) * TICK_MS;
  } catch {
    return undefined;
  }
}

export function startWatch() {
  return { busy: busyMs(), own: process.cpuUsage(), start: performance.now() };
}

/** The share of all cores that others used since `startWatch`: 0 to 1. Too short an interval says 0. */
export function othersBusy({ busy, own, start }) {
  const wall = performance.now() - start;
  const now = busyMs();
  if (busy === undefined || now === undefined || wall < 8 * TICK_MS) return 0;
  const { user, system } = process.cpuUsage(own);
  const others = now - busy - (user + system) / 1000 - 2 * TICK_MS; // two ticks of rounding
  return Math.max(0, others / (wall * CORES));
}
