/** Which card an adapter is. */
import { expect, it } from 'vitest';
import { cardOf, memoryOf } from './cards.js';
import type { Card } from './ports/cards.js';

const GIB = 2 ** 30;

function card(name: string, vendor: Card['vendor'], gib: number, free: number | null = gib): Card {
  const bytes = gib * GIB;
  return { name, vendor, discrete: true, bytes, free: free && free * GIB, source: 'a test' };
}

const adapter = (name: string, vendor = '', driver = '') => ({ name, vendor, driver });

const RTX4060 = card('NVIDIA GeForce RTX 4060', 'nvidia', 8);
const RTX4060TI = card('NVIDIA GeForce RTX 4060 Ti', 'nvidia', 16, 15);
const RADEON = card('', 'amd', 24, 22);
const CHIP: Card = { ...card('', 'amd', 12), discrete: false };
const ARC = card('', 'intel', 16, null);

it.each([
  ['by name, the longest that fits', adapter('NVIDIA GeForce RTX 4060 Ti', 'nvidia'), RTX4060TI],
  ['by name, in the words of Direct3D', adapter('Microsoft Direct3D12 (NVIDIA GeForce RTX 4060)'), RTX4060],
  ['by maker, with memory of its own', adapter('AMD Radeon RX 7900 XTX (RADV NAVI31)', 'amd'), RADEON],
  ['by maker, in its name', adapter('Intel(R) Arc(tm) A770 Graphics (DG2)', ''), ARC],
])('%s', (_, name, { bytes, free, source }) => {
  const all = [RTX4060, CHIP, RADEON, ARC, RTX4060TI];
  expect(cardOf(name, all)).toEqual({ bytes, free, source });
});

it('takes the smallest of several that it may be, and does not say what is free', () => {
  const two = [card('NVIDIA L4', 'nvidia', 24, 20), card('NVIDIA L4', 'nvidia', 23, 3)];
  expect(cardOf(adapter('NVIDIA L4', 'nvidia'), two)).toMatchObject({ bytes: 23 * GIB, free: null });
  expect(cardOf(adapter('Adreno 740', 'qualcomm'), two)).toBeUndefined();
});

it('gives software the memory of the machine', async () => {
  const cards = {
    list: () => Promise.reject(new Error('not asked')),
    machine: () => ({ bytes: 5, free: 4 }),
  };
  const found = await memoryOf({ ...adapter('llvmpipe', 'mesa'), software: true }, cards);
  expect(found).toEqual({ bytes: 5, free: 4, source: "the machine's memory" });
});
