/** The plan beside what the device has: what cannot fit is refused, and what a driver refuses is explained. */
import { OslerError } from '../../gpu/index.js';
import type { AdapterMemory } from '../../platform/cards.js';
import { type Fit, fitsText } from './fit.js';
import { gib, type MemoryPlan, planText } from './plan.js';

/** What the device offers. */
export interface DeviceMemory {
  readonly largestBuffer: number;
  /** What the run may use; undefined where nobody tells. */
  readonly memory?: AdapterMemory | undefined;
}

/** Finds settings with which a run takes no more than so many bytes, best first; see `settingsThatFit`. */
export type FindFits = (bytes: number) => readonly Fit[];

/** Bytes that a run may use of what there is. */
export function usable({ bytes, free }: AdapterMemory): number {
  return Math.min(bytes, free ?? bytes);
}

/** What there is, for people. */
export function memoryText(memory: AdapterMemory): string {
  const free = usable(memory);
  const size = free < memory.bytes ? `${gib(free)} free of ${gib(memory.bytes)}` : gib(memory.bytes);
  return `${size} (${memory.source})`;
}

/**
 * Refuses a plan that cannot work.
 *
 * @param findFits is asked only if it does not.
 */
export function checkPlan(
  plan: MemoryPlan,
  { memory, largestBuffer }: DeviceMemory,
  findFits: FindFits = () => [],
): void {
  if (plan.largest.bytes > largestBuffer) {
    throw new OslerError(
      'value',
      `the optimizer state of ${plan.largest.name} takes ${gib(plan.largest.bytes)}, over this adapter's largest buffer of ${gib(largestBuffer)}; set use_peft: true or freeze the part it belongs to`,
    );
  }
  if (!memory || plan.peak <= usable(memory)) return;
  const fits = findFits(usable(memory));
  const busy = plan.peak <= memory.bytes ? 'end other programs that use it, ' : '';
  throw new OslerError(
    'value',
    `the run needs about ${gib(plan.peak)} (${planText(plan)}), but the device has ${memoryText(memory)} for it; ${fits.length === 0 ? '' : `it fits with ${fitsText(fits)}; else `}${busy}lower it with ${plan.lower.join(', ')}, or set device_memory_gib if the device has more`,
  );
}

/** A driver had less memory than the plan took: its error, with what was planned and settings with less. */
export function explainShortage(
  error: OslerError,
  plan: MemoryPlan,
  held: number,
  findFits: FindFits,
): OslerError {
  // What the driver gave is no more than this, and others may want some of it.
  const fits = findFits(0.9 * Math.min(held, plan.peak));
  const less = fits.length === 0 ? '' : `; less is needed with ${fitsText(fits)}`;
  return new OslerError(
    'out-of-memory',
    `${error.message}; planned were ${gib(plan.peak)} at the peak (${planText(plan)})${less}`,
  );
}
