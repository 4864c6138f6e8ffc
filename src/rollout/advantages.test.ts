import { expect, it } from 'vitest';
import { computeAdvantages, isFlat, standardDeviation } from './advantages.js';
import { TRL } from './test-trl.js';

it.each(TRL.advantages.map((found) => [`${found.scaleRewards}, ${found.aggregation}`, found] as const))(
  "are TRL's: %s",
  (_, found) => {
    const { advantages, zeroStd } = computeAdvantages(found.values, found.weights, found.groupSize, found);
    found.advantages.forEach((expected, i) => void expect(advantages[i]).toBeCloseTo(expected, 5));
    expect(zeroStd).toEqual(found.zeroStd);
  },
);

it('give 0 to what cannot be scored and leave it out of the mean', () => {
  const { rewards, advantages } = computeAdvantages([[null], [1], [0]], [1], 3, {
    scaleRewards: 'none',
    aggregation: 'sum_then_normalize',
  });
  expect(rewards[0]).toBeNaN();
  expect(advantages).toEqual([0, 0.5, -0.5]);
});

it('refuse rewards that are too far apart for single precision', () => {
  const settings = { scaleRewards: 'none', aggregation: 'sum_then_normalize' } as const;
  const far = [[3e38], [-3e38], [-3e38], [-3e38]];
  expect(() => computeAdvantages(far, [1], 4, settings)).toThrow(
    /^the advantage of a completion with reward 3e\+38 would be 4\.50e\+38, beyond single precision; scale/,
  );
  const scaled = computeAdvantages(far, [1], 4, { ...settings, scaleRewards: 'group' });
  expect(scaled.advantages.map((advantage) => advantage.toFixed(5))).toEqual([
    '1.50000',
    ...Array(3).fill('-0.50000'),
  ]);
});

it('know flat groups and odd samples', () => {
  expect(isFlat([1, 1, Number.NaN])).toBe(true);
  expect(isFlat([Number.NaN])).toBe(true);
  expect(isFlat([1, 0.5])).toBe(false);
  expect(standardDeviation([3])).toBe(0);
  expect(standardDeviation([])).toBeNaN();
});
