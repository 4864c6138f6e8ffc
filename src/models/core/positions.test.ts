import { expect, it } from 'vitest';
import { distinctPositions } from './positions.js';

it('finds equal places, whatever the axes, and leaves positions that are too large alone', () => {
  const axes = [
    Int32Array.of(0, 1, 1, 0, 1, 131072, 131072),
    Int32Array.of(0, 1, 2, 0, 1, 5, 5),
    Int32Array.of(0, 2, 1, 0, 2, 5, 5),
  ] as const;
  const { distinct, rows } = distinctPositions(axes);
  expect([...rows]).toEqual([0, 1, 2, 0, 1, 3, 4]);
  for (const [i, axis] of axes.entries()) {
    expect([...rows].map((row) => distinct[i][row])).toEqual([...axis]);
  }
});
