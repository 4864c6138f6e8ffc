import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type ScheduleOptions, schedule, warmupSteps } from './schedule.js';

const file = new URL('../../kernels-tests/fixtures/train/schedules.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as (ScheduleOptions & { factors: number[] })[];

it.each(cases)('$name, $warmupSteps of $totalSteps: as transformers', ({ factors, ...options }) => {
  const factor = schedule(options);
  expect(factors).toHaveLength(options.totalSteps);
  factors.forEach((expected, i) => {
    expect(factor(i + 1)).toBeCloseTo(expected, 14);
  });
});

const own = new URL('fixtures/schedules.json', import.meta.url);
const told = JSON.parse(readFileSync(own, 'utf8')) as (ScheduleOptions & { factors: number[] })[];

it.each(told)('$name, $warmupSteps of $totalSteps, with $arguments: as transformers', (found) => {
  const { factors, ...options } = found;
  const factor = schedule(options);
  factors.forEach((expected, i) => void expect(factor(i + 1)).toBeCloseTo(expected, 14));
});

it('takes warm-up steps as a number or a share', () => {
  expect([warmupSteps(0, 10), warmupSteps(3, 10), warmupSteps(0.25, 10), warmupSteps(1, 10)]).toEqual([
    0, 3, 3, 1,
  ]);
});

it('refuses what is no run', () => {
  expect(() => schedule({ name: 'linear', warmupSteps: -1, totalSteps: 5 })).toThrow(/-1 warm-up steps/);
});
