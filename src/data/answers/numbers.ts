/** Numbers as answers write them, with their units. */

/** What {@link numberIn} found: the number in the unit that was wanted, or why there is none. */
export type FoundNumber = { readonly value: number } | { readonly problem: string };

/** Numbers that people rather write as words. */
const WORDS: readonly string[] = [
  ...[
    'zero',
    'one',
    'two',
    'three',
    'four',
    'five',
    'six',
    'seven',
    'eight',
    'nine',
    'ten',
    'eleven',
    'twelve',
  ],
];

/** Units that can be turned into each other, by what they measure; the factor is that to the first of them. */
const UNITS: readonly Readonly<Record<string, number>>[] = [
  {
    mm: 1,
    millimeter: 1,
    millimetre: 1,
    cm: 10,
    centimeter: 10,
    centimetre: 10,
    m: 1000,
    µm: 1e-3,
    um: 1e-3,
  },
  { ml: 1, milliliter: 1, millilitre: 1, cc: 1, l: 1000, liter: 1000, litre: 1000 },
  { g: 1, gram: 1, kg: 1000, mg: 1e-3 },
  { s: 1, second: 1, ms: 1e-3, min: 60, minute: 60, h: 3600, hour: 3600 },
  { '%': 1, percent: 1 },
  { '°': 1, degree: 1 },
  { hu: 1 },
];

const PATTERN = /(?<![\p{L}\d])([-+−]?\d+(?:[.,]\d+)*(?:e[-+]?\d{1,3})?)\s*([%°µ\p{L}]*)/giu;

/** The one number of a text, in a unit; a text that has none, or different ones, has no answer. */
export function numberIn(text: string, unit?: string): FoundNumber {
  const shown = text.normalize('NFKC').replaceAll('μ', 'µ');
  const found = [...shown.matchAll(PATTERN)].map((match) =>
    inUnit(parsed(match[1] as string), match[2] as string, unit),
  );
  const words = shown.toLowerCase().match(/\p{L}+/gu) ?? [];
  if (found.length === 0) {
    for (const word of words) if (WORDS.includes(word)) found.push({ value: WORDS.indexOf(word) });
  }
  const [first] = found;
  if (first === undefined) return { problem: 'no number' };
  const bad = found.find((one) => 'problem' in one);
  if (bad) return bad;
  const value = (first as { value: number }).value;
  return found.every((one) => 'value' in one && one.value === value) ? first : { problem: 'several numbers' };
}

/** A comma is a decimal one, unless what follows looks like thousands. */
function parsed(text: string): number {
  const plain = text.replace('−', '-');
  if (/^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain)) return Number(plain.replaceAll(',', ''));
  return Number(plain.replace(',', '.'));
}

function inUnit(value: number, said: string, wanted: string | undefined): FoundNumber {
  if (!Number.isFinite(value)) return { problem: 'not a number' };
  const [from, to] = [unitOf(said), unitOf(wanted ?? '')];
  if (from === undefined || to === undefined) return { value };
  if (from.table !== to.table) return { problem: `in ${said} instead of ${wanted}` };
  return { value: from.factor === to.factor ? value : (value * from.factor) / to.factor };
}

/** A unit that can be converted; other words after a number are none. */
function unitOf(name: string): { table: number; factor: number } | undefined {
  const lower = name.trim().toLowerCase();
  for (const spelling of [lower, lower.replace(/s$/, '')]) {
    const table = UNITS.findIndex((units) => Object.hasOwn(units, spelling));
    if (table >= 0) return { table, factor: (UNITS[table] as Record<string, number>)[spelling] as number };
  }
  return undefined;
}
