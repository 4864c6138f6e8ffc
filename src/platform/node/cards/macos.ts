/** Apple's chips: Metal keeps as much of the machine's memory on the GPU as a setting of the system says. */
import type { Card } from '../../ports/cards.js';
import type { Machine } from './machine.js';

/** Where nothing is set, two thirds and more, by chip and version of the system. */
const LEAST_SHARE = 2 / 3;

/** Asks `sysctl`. */
export async function macCards(machine: Machine): Promise<Card[]> {
  if (machine.system !== 'darwin') return [];
  const names = ['machdep.cpu.brand_string', 'hw.memsize', 'iogpu.wired_limit_mb'];
  const text = await machine.run('/usr/sbin/sysctl', names);
  const value = (name: string) => new RegExp(`^${name.replaceAll('.', '\\.')}: (.*)$`, 'm').exec(text)?.[1];
  const name = value(names[0]) ?? '';
  const memory = Number(value(names[1]));
  // The GPU of an older Mac has memory that only Metal tells of.
  if (!name.startsWith('Apple') || !(memory > 0)) return [];
  const set = Number(value(names[2]) ?? 0) * 2 ** 20;
  const bytes = set > 0 ? Math.min(set, memory) : Math.floor(LEAST_SHARE * memory);
  return [{ name, vendor: 'apple', discrete: false, bytes, free: null, source: 'sysctl' }];
}
