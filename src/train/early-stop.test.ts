/** When a run whose evaluations no longer get better ends. */
import { expect, it } from 'vitest';
import type { TrainingConfig } from './config/index.js';
import { EarlyStop } from './early-stop.js';
import type { BestCheckpoint } from './trainer-state.js';

function waits(
  values: readonly number[],
  settings: Partial<TrainingConfig>,
): { waited: number[]; due: number } {
  const config = {
    metric_for_best_model: 'loss',
    greater_is_better: null,
    early_stopping_patience: 2,
    early_stopping_threshold: 0,
    ...settings,
  } as TrainingConfig;
  const stop = new EarlyStop(config);
  const higher = settings.greater_is_better === true;
  let best: BestCheckpoint | null = null;
  let due = 0;
  const waited = values.map((value, i) => {
    stop.saw({ 'eval/loss': value }, best);
    if (!best || (higher ? value > best.value : value < best.value)) {
      best = { step: i + 1, metric: 'eval/loss', value };
    }
    if (stop.due && due === 0) due = i + 1;
    return stop.waited;
  });
  return { waited, due };
}

it('counts evaluations that are no better, by more than the threshold', () => {
  expect(waits([3, 2, 2.5, 1.9, 1.9, 1.95], {})).toEqual({ waited: [0, 0, 1, 0, 1, 2], due: 6 });
  expect(waits([3, 2.5, 2.45, 2.44], { early_stopping_threshold: 0.1 }).waited).toEqual([0, 0, 1, 2]);
  expect(waits([0.1, 0.3, 0.2, 0.25], { greater_is_better: true }).due).toBe(4);
  expect(waits([1, 2, 3, 4, 5], { early_stopping_patience: null }).due).toBe(0);
});

it('passes over steps without an evaluation', () => {
  const stop = new EarlyStop({ metric_for_best_model: 'loss', early_stopping_patience: 1 } as TrainingConfig);
  stop.saw({}, { step: 1, metric: 'eval/loss', value: 1 });
  expect(stop.waited).toBe(0);
});
