import { expect, test } from 'vitest';
import { philox4x32, philoxKey, randomWords, unitFloat } from './random.js';

test('Philox4x32-10 gives the known answers of Random123', () => {
  expect(philox4x32([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  expect(philox4x32([ones, ones, ones, ones], [ones, ones])).toEqual([
    0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
  ]);
  expect(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ]);
});

test('every part of an address changes the numbers', () => {
  const base = { seed: 1, stream: 2, step: 3, position: 4 };
  const words = [
    base,
    { ...base, seed: 2 },
    { ...base, seed: 1n + (1n << 40n) },
    { ...base, stream: 3 },
    { ...base, step: 4 },
    { ...base, position: 5 },
  ].map((address) => randomWords(address).join());
  expect(new Set(words).size).toBe(words.length);
  expect(philoxKey(2 ** 40 + 5)).toEqual([5, 256]);
  expect(unitFloat(0xffffffff)).toBe(1 - 2 ** -24);
});
