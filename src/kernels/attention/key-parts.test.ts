import { describe, expect, test } from 'vitest';
import { type KeyParts, type KeyPartsOptions, type KeyTile, keyParts } from './key-parts.js';

const OPTIONS: KeyPartsOptions = { block: 64, align: 1, mostSlots: 2048, causal: true, window: 0 };

/** Tiles of a prompt and its completions, as `Segments` makes them. */
function group(prompt: number, completion: number, count: number, size: number): KeyTile[] {
  const end = prompt + count * completion;
  const tiles: KeyTile[] = [];
  const add = (start: number, stop: number, others: readonly number[][]) => {
    for (let from = start; from < stop; from += size) {
      const to = Math.min(from + size, stop);
      tiles.push({
        from,
        to,
        visitors: [[start, stop, from, to, -start, 1, 0, 0], ...others.map((v) => [...v])],
      });
    }
  };
  add(0, prompt, [[prompt, end, 0, prompt, 0, 0, 0, 0]]);
  for (let i = 0; i < count; i++) add(prompt + i * completion, prompt + (i + 1) * completion, []);
  return tiles;
}

function ratio({ parts }: KeyParts): number {
  const works = parts.map(({ work }) => work).filter((work) => work > 0);
  works.sort((a, b) => a - b);
  return works[works.length - 1] / works[(works.length - 1) >> 1];
}

/** Queries that meet each tile, in order. */
function met(parts: readonly KeyTile[], from: number): number[] {
  const queries = parts
    .filter((part) => part.from === from)
    .flatMap(({ visitors }) => visitors)
    .flatMap(([first, end]) => Array.from({ length: end - first }, (_, i) => first + i));
  return queries.sort((a, b) => a - b);
}

describe('parts of the keys', () => {
  test.each([
    [512, 512, 8, 32],
    [512, 512, 8, 64],
    [1100, 37, 16, 32],
    [40, 300, 3, 16],
    [3000, 20, 2, 32],
  ])(
    'a prompt of %i and completions of %i, %i of them: none does twice the median',
    (prompt, own, count, size) => {
      const tiles = group(prompt, own, count, size);
      expect(ratio(keyParts(tiles, OPTIONS))).toBeLessThanOrEqual(2);
      expect(ratio(keyParts(tiles, { ...OPTIONS, causal: false }))).toBeLessThanOrEqual(2);
      expect(ratio(keyParts(tiles, { ...OPTIONS, align: 8 }))).toBeLessThanOrEqual(2);
    },
  );

  test('a prompt of many completions would have ten times the work', () => {
    const whole = keyParts(group(512, 512, 8, 32), { ...OPTIONS, mostSlots: 0 });
    expect(whole.slots).toBe(0);
    expect(ratio(whole)).toBeGreaterThan(10);
  });

  test.each([1, 8])('every tile meets each of its queries once, blocks at multiples of %i', (align) => {
    const tiles = group(130, 75, 5, 32);
    const { parts, cut, slots } = keyParts(tiles, { ...OPTIONS, align });
    for (const tile of tiles) {
      const [own, ...others] = tile.visitors;
      const seen = [{ ...tile, visitors: [[Math.max(own[0], tile.from), own[1]], ...others] }];
      expect(met(parts, tile.from)).toEqual(met(seen, tile.from));
    }
    const used = parts.map(({ slot }) => slot).filter((slot) => slot >= 0);
    expect(used.sort((a, b) => a - b)).toEqual(Array.from({ length: slots }, (_, i) => i));
    expect(cut.reduce((sum, { slots: own }) => sum + own, 0)).toBe(slots);
    for (const { tile, slot, slots: own } of cut) {
      const of = parts.filter((part) => part.slot >= slot && part.slot < slot + own);
      expect(of.every(({ from }) => from === tile.from)).toBe(true);
    }
  });

  test('no more slots than there is room for', () => {
    const tiles = group(512, 512, 8, 32);
    for (const mostSlots of [0, 5, 40]) {
      expect(keyParts(tiles, { ...OPTIONS, mostSlots }).slots).toBeLessThanOrEqual(mostSlots);
    }
  });

  test('padding is there, and does nothing', () => {
    const { parts } = keyParts([{ from: 3, to: 9, visitors: [Array(8).fill(0)] }], OPTIONS);
    expect(parts).toEqual([{ from: 3, to: 9, visitors: [Array(8).fill(0)], work: 0, slot: -1 }]);
  });
});
