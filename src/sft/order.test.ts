import fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupByLength, Order, packRows, singleRows } from './order.js';

const options = { seed: 3, shuffle: true, batchSize: 2, accumulation: 2 };

it('packs every example once, without overfull rows', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 }), (lengths) => {
      const rows = packRows(lengths, 20);
      const total = (row: readonly number[]) => row.reduce((n, i) => n + lengths[i], 0);
      expect(rows.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
      expect(Math.max(...rows.map(total))).toBeLessThanOrEqual(20);
      // No two rows could be one: otherwise the second would not have been opened.
      const sizes = rows.map(total).sort((a, b) => a - b);
      if (sizes.length > 1) expect(sizes[0] + sizes[1]).toBeGreaterThan(20);
    }),
  );
  expect(packRows([5, 3, 7, 2, 3], 10)).toEqual([
    [2, 1],
    [0, 4, 3],
  ]);
  expect(() => packRows([11], 10)).toThrow(/example 0 has 11 tokens/);
});

it('takes each row once an epoch, in another order each time', () => {
  const order = new Order({ ...options, rows: singleRows(10) });
  expect(order.stepsPerEpoch).toBe(3);
  const epoch = (e: number) => [1, 2, 3].map((s) => order.step(3 * e + s));
  expect(
    epoch(0)
      .flat(2)
      .sort((a, b) => a - b),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(epoch(0).map((step) => step.map((batch) => batch.length))).toEqual([[2, 2], [2, 2], [2]]);
  expect(epoch(1)).not.toEqual(epoch(0));
  expect(
    epoch(1)
      .flat(2)
      .sort((a, b) => a - b),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it('groups rows by length as transformers does', () => {
  const lengths = [5, 1, 9, 3, 7, 2, 8, 4, 6, 10];
  const order = lengths.map((_, i) => i);
  // What get_length_grouped_indices gives where randperm gives 0 to 9.
  expect(groupByLength(order, lengths, 1)).toEqual([9, 1, 2, 3, 4, 5, 6, 7, 0, 8]);
  expect(groupByLength(order, lengths, 4)).toEqual([9, 0, 3, 1, 6, 4, 7, 5, 2, 8]);
  const grouped = new Order({ ...options, rows: singleRows(10), lengths });
  const steps = Array.from({ length: grouped.stepsPerEpoch }, (_, i) => grouped.step(i + 1)).flat(2);
  expect([...steps].sort((a, b) => a - b)).toEqual(order);
  expect(steps[0]).toBe(9);
});

it('depends on seed and step alone', () => {
  const rows = singleRows(9);
  const forward = new Order({ ...options, rows });
  const steps = Array.from({ length: 12 }, (_, i) => forward.step(i + 1));
  const backward = new Order({ ...options, rows });
  for (let step = 12; step >= 1; step--) expect(backward.step(step)).toEqual(steps[step - 1]);
  expect(new Order({ ...options, seed: 4, rows }).step(1)).not.toEqual(steps[0]);
  expect(new Order({ ...options, shuffle: false, rows }).step(1)).toEqual([
    [0, 1],
    [2, 3],
  ]);
});
