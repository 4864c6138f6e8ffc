/** AMD's and Intel's cards, from what Linux shows of their drivers. */
import type { Card } from '../../ports/cards.js';
import type { Machine } from './machine.js';

const DRM = '/sys/class/drm';
/** Names of AMD's cards by device and revision, of which Mesa makes the adapter's name. */
const AMD_NAMES = '/usr/share/libdrm/amdgpu.ids';
/** With less memory of its own than this, AMD's driver takes that of the machine as well. */
const CARVED_OUT = 4 * 2 ** 30;
/** Mesa's driver for Intel offers as much of the machine's memory. */
const SHARED = 0.75;

/** Reads `/sys/class/drm`. */
export async function sysfsCards(machine: Machine): Promise<Card[]> {
  const names = (await machine.list(DRM)).filter((name) => /^card\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const folder = `${DRM}/${name}`;
      const vendor = await machine.read(`${folder}/device/vendor`);
      if (vendor === '0x1002') return amdCard(machine, `${folder}/device`);
      return vendor === '0x8086' ? intelCard(machine, folder) : null;
    }),
  );
  return found.filter((card) => card !== null);
}

/** GiB of Intel's cards with less than what they map, which is a power of two: Arc A380, B580 and B570, Pro B60. */
const ODD_INTEL: Readonly<Record<string, number>> = { '0x56a5': 6, '0xe20b': 12, '0xe20c': 10, '0xe211': 24 };

async function amdCard(machine: Machine, device: string): Promise<Card | null> {
  const number = async (file: string) => Number(await machine.read(`${device}/${file}`));
  const [own, used] = [await number('mem_info_vram_total'), await number('mem_info_vram_used')];
  // The older driver, radeon, has no such files.
  if (own === 0) return null;
  const discrete = own >= CARVED_OUT;
  const [shared, taken] = discrete
    ? [0, 0]
    : [await number('mem_info_gtt_total'), await number('mem_info_gtt_used')];
  const bytes = own + shared;
  const name = await amdName(machine, device);
  return { name, vendor: 'amd', discrete, bytes, free: bytes - used - taken, source: 'sysfs' };
}

/** Lines like `744C,	C8,	AMD Radeon RX 7900 XTX`. */
async function amdName(machine: Machine, device: string): Promise<string> {
  const id = await machine.read(`${device}/device`);
  const revision = await machine.read(`${device}/revision`);
  const wanted = [id, revision].map((text) => text.replace(/^0x/, '').toUpperCase()).join();
  for (const line of (await machine.read(AMD_NAMES)).split('\n')) {
    const [chip, step, name] = line.split(',').map((text) => text.trim());
    if (`${chip},${step}` === wanted) return name;
  }
  return '';
}

async function intelCard(machine: Machine, folder: string): Promise<Card> {
  const own = await intelMemory(machine, folder);
  const free = Number(await machine.read(`${folder}/lmem_avail_bytes`)) || null;
  const bytes = own || SHARED * machine.memory;
  return { name: '', vendor: 'intel', discrete: own > 0, bytes, free, source: 'sysfs' };
}

/** Memory of an Intel card: as the drivers xe or i915 tell it, else what is mapped for the CPU, if it may be all; else 0. */
async function intelMemory(machine: Machine, folder: string): Promise<number> {
  const tiles = (await machine.list(`${folder}/device`)).filter((name) => /^tile\d+$/.test(name));
  const sizes = await Promise.all(
    tiles.map((tile) => machine.read(`${folder}/device/${tile}/physical_vram_size_bytes`)),
  );
  const told = sizes.reduce((sum, size) => sum + Number(size), 0);
  if (told > 0) return told;
  const older = Number(await machine.read(`${folder}/lmem_total_bytes`));
  if (older > 0) return older;
  const resources = (await machine.read(`${folder}/device/resource`)).split('\n');
  const mapped = resources.map((line) => {
    const [start, end] = line.split(' ').map(Number);
    return end > start ? end - start + 1 : 0;
  });
  const odd = ODD_INTEL[await machine.read(`${folder}/device/device`)] ?? Number.POSITIVE_INFINITY;
  const largest = Math.min(Math.max(...mapped), odd * 2 ** 30);
  // Chips without memory of their own map 256 MiB, and so do cards in old mainboards.
  return largest > 2 ** 30 ? largest : 0;
}
