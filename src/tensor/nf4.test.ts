import { expect, it } from 'vitest';
import { decode, encode } from './formats.js';
import { NF4_LEVELS, quantizeNf4 } from './nf4.js';

it('has the codes and magnitudes of bitsandbytes', () => {
  const values = new Float32Array(128);
  for (let i = 0; i < 16; i++) values[i] = 4 * NF4_LEVELS[i];
  // Halfway between the last two levels, and just above.
  values[16] = 4 * Math.fround((NF4_LEVELS[14] + 1) / 2);
  values[17] = values[16] * (1 + 2 ** -20);
  const { codes, absmax } = quantizeNf4(values);
  expect([...absmax]).toEqual([4, 0]);
  expect([...codes.subarray(0, 9)]).toEqual([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xef]);
  // Zeros keep their level in a block of zeros, too.
  expect(codes[40]).toBe(0x77);
});

it('gives back levels times magnitudes', () => {
  const values = Float32Array.from({ length: 192 }, (_, i) => Math.fround(Math.sin(i) * 2 ** (i / 64)));
  const back = decode(encode(values, 'nf4'), 'nf4', values.length);
  back.forEach((value, i) => {
    const block = values.subarray(i - (i % 64), i - (i % 64) + 64);
    const largest = Math.max(...block.map(Math.abs));
    const nearest = Math.min(...NF4_LEVELS.map((level) => Math.abs(values[i] - level * largest)));
    expect(Math.abs(value - values[i])).toBeLessThanOrEqual(nearest + 1e-6);
  });
  expect(() => quantizeNf4(values.subarray(1))).toThrow('191 numbers are no whole blocks of 64');
});
