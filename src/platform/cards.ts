/** Which memory an adapter has: the card that it is, among those of the machine. */
import type { Card, Cards } from './ports/cards.js';

/** What an adapter says of itself. */
export interface AdapterName {
  readonly name: string;
  readonly vendor: string;
  readonly driver: string;
  readonly software: boolean;
}

/** The memory behind an adapter. */
export type AdapterMemory = Pick<Card, 'bytes' | 'free' | 'source'>;

/** Finds the memory of an adapter; undefined where nothing tells. */
export async function memoryOf(adapter: AdapterName, cards: Cards): Promise<AdapterMemory | undefined> {
  if (adapter.software) return { ...cards.machine(), source: "the machine's memory" };
  return cardOf(adapter, await cards.list());
}

/**
 * The card that an adapter is: by maker, then by name, then one with memory of its own, since that is what is asked for.
 * Of several that are left it is the smallest for all that is known, and how much of it is free is not.
 */
export function cardOf(
  { name, vendor, driver }: Omit<AdapterName, 'software'>,
  cards: readonly Card[],
): AdapterMemory | undefined {
  const words = plain(`${name} ${driver}`);
  const isNamed = (card: Card) => card.name !== '' && words.includes(plain(card.name));
  const isMaker = (card: Card) =>
    card.vendor !== '' && (card.vendor === vendor || words.includes(card.vendor));
  const named = cards.filter(isNamed);
  // "RTX 4060 Ti" has "RTX 4060" in it.
  const longest = Math.max(...named.map((card) => card.name.length));
  const likely =
    named.length > 0 ? named.filter((card) => card.name.length === longest) : cards.filter(isMaker);
  const discrete = likely.filter((card) => card.discrete);
  const [first, ...others] = discrete.length > 0 ? discrete : likely;
  if (!first) return undefined;
  const { source } = first;
  if (others.length === 0) return { bytes: first.bytes, free: first.free, source };
  return { bytes: Math.min(first.bytes, ...others.map(({ bytes }) => bytes)), free: null, source };
}

/** Letters and digits alone: drivers write "(TM)" and spaces as they like. */
function plain(text: string): string {
  return text.toLowerCase().replace(/\(r\)|\(tm\)|[^a-z0-9]/g, '');
}
