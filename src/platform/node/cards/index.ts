/** The cards of the machine that Node runs on. */
import os from 'node:os';
import type { Card, Cards } from '../../ports/cards.js';
import { type Machine, thisMachine } from './machine.js';
import { macCards } from './macos.js';
import { nvidiaCards } from './nvidia.js';
import { sysfsCards } from './sysfs.js';
import { windowsCards } from './windows.js';

/** Node's. */
export const nodeCards: Cards = { list: () => cardsOf(thisMachine), machine: machineMemory };

/** The cards of a machine, each from the source that knows most of it. */
export async function cardsOf(machine: Machine): Promise<Card[]> {
  const nvidia = machine.system === 'darwin' ? [] : await nvidiaCards(machine);
  switch (machine.system) {
    case 'darwin':
      return macCards(machine);
    case 'win32': {
      const others = await windowsCards(machine);
      // The tool tells what is free, too.
      return [...nvidia, ...others.filter(({ vendor }) => vendor !== 'nvidia' || nvidia.length === 0)];
    }
    default:
      return [...nvidia, ...(await sysfsCards(machine))];
  }
}

function machineMemory(): { bytes: number; free: number } {
  const limit = process.constrainedMemory();
  const bytes = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
  return { bytes, free: Math.min(bytes, os.freemem()) };
}
