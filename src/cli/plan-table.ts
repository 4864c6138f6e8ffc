/** A memory plan as a table. */
import type { MemoryReport } from '../gpu/index.js';
import { gib, type MemoryPlan } from '../train/memory/index.js';
import { textTable } from './table.js';

const ROWS = ['weights', 'copies', 'optimizer', 'gradients', 'activations', 'scratch', 'kv'] as const;

/** By purpose, each at its peak; beside what was measured, where it was. */
export function planTable(plan: MemoryPlan, measured?: MemoryReport): string {
  const heading = measured ? ['purpose', 'planned', 'measured'] : ['purpose', 'at its peak'];
  const name = (row: string) => (row === 'kv' ? 'KV cache' : row);
  if (!measured) {
    const rows = ROWS.filter((row) => plan[row] > 0).map((row) => [name(row), gib(plan[row])]);
    return textTable(heading, [...rows, ['all, at one time', gib(plan.peak)]]);
  }
  const { peak, peakTotal, peakReserved } = measured;
  const rows = ROWS.filter((row) => row !== 'copies' && (plan[row] > 0 || peak[row] > 0)).map((row) => {
    // Copies are weights, too, when it comes to measuring.
    const planned = plan[row] + (row === 'weights' ? plan.copies : 0);
    return [name(row), gib(planned), gib(peak[row as keyof typeof peak])];
  });
  return textTable(heading, [
    ...rows,
    ['all, at one time', gib(plan.peak), gib(peakTotal)],
    ['taken from the driver', '', gib(peakReserved)],
  ]);
}
