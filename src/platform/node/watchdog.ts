/**
 * Ends a helper from another thread, also in the middle of work that does not end: when whoever started it is gone, and
 * nobody would end it any more, and above a bound on all its memory. Node's own limit counts JavaScript values only, and
 * neither typed arrays nor libraries.
 */
import { Worker } from 'node:worker_threads';

/** Milliseconds between looks. */
const INTERVAL = 50;

/** Watches this process for as long as it lives. */
export function startWatchdog(megabytes = Number.POSITIVE_INFINITY): void {
  const look = `
    const look = () => {
      if (process.ppid !== ${process.ppid} || process.memoryUsage.rss() > ${megabytes * 2 ** 20}) {
        process.kill(process.pid, 'SIGKILL');
      }
    };
    setInterval(look, ${INTERVAL});
  `;
  new Worker(look, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();
}
