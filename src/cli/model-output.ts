/** What commands share that write a model: they replace none unasked, and say how far they are. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from './common.js';
import { showProgress } from './terminal.js';

/** Writing over somebody's weights would lose them. */
export async function assertFree(dir: string, overwrite: boolean): Promise<void> {
  const entries = overwrite ? [] : await readdir(dir).catch(() => []);
  if (entries.some((name) => name.endsWith('.safetensors'))) {
    throw new UsageError(`${dir} already holds weights; choose another --out, or pass --overwrite`);
  }
}

/** What is read cannot be written over. */
export function assertApart(out: string, read: string): void {
  if (path.resolve(out) !== path.resolve(read)) return;
  throw new UsageError(`--out ${out} is what is read; choose another folder`);
}

/** A percentage on a terminal that is written over, five times a second. */
export function percentShown(): (done: number, total: number) => void {
  let shown = 0;
  return (done, total) => {
    const now = performance.now();
    if (!process.stderr.isTTY || now - shown < 200) return;
    shown = now;
    showProgress(`${((100 * done) / total).toFixed(0)}%`);
  };
}
