/** Cards of Windows: what their drivers leave in the registry. */
import type { Card, CardVendor } from '../../ports/cards.js';
import type { Machine } from './machine.js';

/** The class of display adapters, one folder for each. */
const DISPLAYS = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}';
const VENDORS: Readonly<Record<string, CardVendor>> = { '10de': 'nvidia', '1002': 'amd', '8086': 'intel' };
/** Chips that share the machine's memory report what was set aside for them. */
const CARVED_OUT = 4 * 2 ** 30;

/** Asks `reg query`. */
export async function windowsCards(machine: Machine): Promise<Card[]> {
  if (machine.system !== 'win32') return [];
  const text = await machine.run('reg', ['query', DISPLAYS, '/s']);
  const adapters = text.split(/\r?\n(?=HKEY_)/).filter((part) => /\\\d{4}\r?\n/.test(part));
  return adapters.flatMap((part): Card[] => {
    const value = (name: string) =>
      new RegExp(`^ +${name} +REG_[A-Z]+ +(.*?)\\r?$`, 'm').exec(part)?.[1] ?? '';
    const own = Number(value('HardwareInformation\\.qwMemorySize'));
    const name = value('DriverDesc');
    const vendor =
      VENDORS[/ven_([0-9a-f]{4})/i.exec(value('MatchingDeviceId'))?.[1].toLowerCase() ?? ''] ?? '';
    if (!(own > 0) || name === '') return [];
    const discrete = own >= CARVED_OUT;
    // Windows lets such a chip have half of the machine's memory.
    const bytes = discrete ? own : Math.max(own, machine.memory / 2);
    return [{ name, vendor, discrete, bytes, free: null, source: 'the registry' }];
  });
}
