import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { dynamicTable, midpoints } from './dynamic-table.js';

it('makes the tables of bitsandbytes', () => {
  // Of the bytes of create_dynamic_map(signed=True) and (signed=False), with PyTorch 2.13 on a CPU that has FMA.
  const digest = (signed: boolean) =>
    createHash('sha256')
      .update(new Uint8Array(dynamicTable(signed).buffer))
      .digest('hex');
  expect(digest(true)).toBe('e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c');
  expect(digest(false)).toBe('305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398');
});

it('has ascending tables, with midpoints between neighbours', () => {
  for (const table of [dynamicTable(true), dynamicTable(false)]) {
    const between = midpoints(table);
    expect(between).toHaveLength(255);
    between.forEach((middle, i) => {
      expect([i, table[i] < middle && middle < table[i + 1]]).toEqual([i, true]);
    });
  }
});
