/** A bound on all memory of a process: Node's own limit counts JavaScript values only, and neither typed arrays nor libraries. */
import { Worker } from 'node:worker_threads';

/** Milliseconds between looks. */
const INTERVAL = 50;

/** Ends this process at once when it holds more memory, also in the middle of work: another thread looks. */
export function endAboveMegabytes(megabytes: number): void {
  const look = `
    const look = () => {
      if (process.memoryUsage.rss() > ${megabytes * 2 ** 20}) process.kill(process.pid, 'SIGKILL');
    };
    setInterval(look, ${INTERVAL});
  `;
  new Worker(look, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();
}
