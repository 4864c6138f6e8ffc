import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { majorityVote, mcNemar, passAtK, quantile, wilsonInterval } from './statistics.js';

const fixture = JSON.parse(readFileSync(new URL('./fixtures/statistics.json', import.meta.url), 'utf8')) as {
  wilson: { correct: number; n: number; low: number; high: number }[];
  mcnemar: { only_a: number; only_b: number; exact: number; statistic: number; corrected: number }[];
  pass_at_k: { n: number; c: number; k: number; value: number }[];
};

/** Relative to the larger of value and 1e-300: p-values may be tiny. */
function close(value: number, expected: number, relative: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-300);
}

describe("scipy's numbers", () => {
  it('Wilson intervals', () => {
    for (const { correct, n, low, high } of fixture.wilson) {
      const interval = wilsonInterval(correct, n);
      expect(Math.abs(interval.low - low)).toBeLessThan(1e-12);
      expect(Math.abs(interval.high - high)).toBeLessThan(1e-12);
    }
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
    for (let n = 1; n < 60; n++) {
      expect(wilsonInterval(0, n).low).toBe(0);
      expect(wilsonInterval(n, n).high).toBe(1);
    }
  });

  it("McNemar's test, exact and corrected", () => {
    for (const { only_a, only_b, exact, statistic, corrected } of fixture.mcnemar) {
      close(mcNemar(only_a, only_b, 'exact').p, exact, 1e-8);
      const approximate = mcNemar(only_a, only_b, 'corrected');
      close(approximate.statistic as number, statistic, 1e-12);
      close(approximate.p, corrected, 1e-9);
    }
  });

  it('chooses the exact test while it matters', () => {
    expect(mcNemar(400, 500).method).toBe('exact');
    expect(mcNemar(600, 500).method).toBe('corrected');
    expect(mcNemar(0, 0).p).toBe(1);
  });

  it('pass@k', () => {
    for (const { n, c, k, value } of fixture.pass_at_k) expect(passAtK(n, c, k)).toBeCloseTo(value, 12);
    expect(() => passAtK(2, 1, 3)).toThrow('at least 3 samples');
  });
});

it('votes: the first of equals, nothing without letters', () => {
  expect(majorityVote(['A', 'B', 'B', null])).toBe('B');
  expect(majorityVote(['C', 'B', 'B', 'C'])).toBe('C');
  expect(majorityVote([null, null])).toBeUndefined();
});

it("quantiles are numpy's", () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3, 4], 0.95)).toBeCloseTo(3.85, 12);
  expect(quantile([], 0.5)).toBe(0);
});
