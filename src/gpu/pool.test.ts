/** What the pool holds from the driver. */
import { expect, it } from 'vitest';
import { Rehearsal } from './rehearsal.js';

it('gives unused memory back before it holds more than it should', () => {
  const gpu = new Rehearsal();
  const held = (...sizes: number[]) => {
    for (const buffer of sizes.map((size) => gpu.allocate(size << 20, 'activations'))) gpu.release(buffer);
    return gpu.memory().reserved / 2 ** 20;
  };
  // Unused buffers of other sizes lie about for whoever wants one.
  expect(held(8)).toBe(8);
  expect(held(12)).toBe(20);
  gpu.keepWithin(24 << 20);
  expect(held(16)).toBe(16);
  expect(held(8)).toBe(24);
  // What is used is never refused.
  expect(held(20, 10)).toBe(30);
});
