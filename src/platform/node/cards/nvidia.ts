/** NVIDIA's cards, from the tool that comes with the driver on Linux and Windows. */
import type { Card } from '../../ports/cards.js';
import type { Machine } from './machine.js';

const MIB = 2 ** 20;

/** Asks `nvidia-smi`. */
export async function nvidiaCards(machine: Machine): Promise<Card[]> {
  const query = ['--query-gpu=name,memory.total,memory.free', '--format=csv,noheader,nounits'];
  const text = await machine.run('nvidia-smi', query);
  return text.split('\n').flatMap((line): Card[] => {
    const [, name, total, free] = /^(.+), (\d+), (\d+)\s*$/.exec(line) ?? [];
    // Where memory is shared with the CPU it says [N/A].
    if (name === undefined) return [];
    const sizes = { bytes: Number(total) * MIB, free: Number(free) * MIB };
    return [{ name, vendor: 'nvidia', discrete: true, ...sizes, source: 'nvidia-smi' }];
  });
}
