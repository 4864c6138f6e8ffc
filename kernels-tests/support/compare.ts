/** Random inputs and the error measures that kernel tests assert on. */
import { expect } from 'vitest';
import type { Tensor } from '../../src/tensor/index.js';

/** Deterministic uniform numbers in [-1, 1), independent of any platform. */
export function random(size: number, seed = 1): Float32Array {
  const out = new Float32Array(size);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    z = (z ^ (z >>> 15)) >>> 0;
    out[i] = z / 2 ** 31 - 1;
  }
  return out;
}

/** ||a - b|| / ||b||; NaN anywhere gives NaN. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}

/** Asserts that a tensor is within a relative L2 tolerance of float64 numbers. */
export async function expectClose(
  actual: Tensor,
  expected: ArrayLike<number>,
  tolerance = 1e-5,
): Promise<void> {
  expect(relativeError(await actual.data(), expected)).toBeLessThanOrEqual(tolerance);
}
