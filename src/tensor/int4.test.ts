import { expect, it } from 'vitest';
import { decode, encode } from './formats.js';
import { describeBlocks, int4ToF32 } from './int4.js';

it('gives back steps times codes less zeros, exactly', () => {
  // 0.1 in f16, and the least number that f16 holds.
  const blocks = describeBlocks(Uint16Array.of(0x2e66, 1, 0xae66), [3, 16, 8]);
  const codes = new Uint32Array(24).fill(0x76543210);
  const values = int4ToF32({ codes, blocks });
  const step = 0x666 * 2 ** -14;
  expect([...values.subarray(0, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((code) => step * (code - 3)));
  expect(values[64]).toBe(-16 * 2 ** -24);
  expect(values[128]).toBe(8 * step);
  const bounds = new Float32Array(blocks.buffer);
  values.forEach((value, i) => {
    expect(Math.abs(value)).toBeLessThanOrEqual(Math.abs(bounds[i >> 6]));
  });
});

it('rounds numbers to the nearest of sixteen', () => {
  const values = Float32Array.from({ length: 192 }, (_, i) => Math.sin(i) * 2 ** (i / 64) + 0.3);
  const back = decode(encode(values, 'int4'), 'int4', values.length);
  back.forEach((value, i) => {
    const block = values.subarray(i - (i % 64), i - (i % 64) + 64);
    const range = Math.max(...block) - Math.min(...block);
    expect(Math.abs(value - values[i])).toBeLessThanOrEqual(range / 15);
  });
});
