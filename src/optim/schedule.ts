/** Learning rates over a run, as transformers computes them. */
import { check } from '../gpu/index.js';

/** Names of the schedules, which are those of transformers. */
export const SCHEDULES = ['constant', 'constant_with_warmup', 'linear', 'cosine'] as const;

/** See {@link SCHEDULES}. */
export type ScheduleName = (typeof SCHEDULES)[number];

/** A schedule's shape. */
export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** Steps that the rate takes to rise from 0; `constant` has none. */
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** Factor on the learning rate for each step, counting from 1. */
export type Schedule = (step: number) => number;

/** The schedule of a run. */
export function schedule({ name, warmupSteps, totalSteps }: ScheduleOptions): Schedule {
  check(warmupSteps >= 0 && totalSteps >= 1, 'value', () => {
    return `schedule: ${warmupSteps} warm-up steps of ${totalSteps} steps`;
  });
  const decay = DECAYS[name];
  return (step) => {
    // transformers counts the steps that were taken before.
    const done = step - 1;
    if (name !== 'constant' && done < warmupSteps) return done / warmupSteps;
    return Math.max(0, decay((done - warmupSteps) / Math.max(1, totalSteps - warmupSteps)));
  };
}

/** Factors after the warm-up, by the share of the remaining steps that is done. */
const DECAYS: Readonly<Record<ScheduleName, (share: number) => number>> = {
  constant: () => 1,
  constant_with_warmup: () => 1,
  linear: (share) => 1 - share,
  cosine: (share) => 0.5 * (1 + Math.cos(Math.PI * share)),
};

/** Warm-up steps from a number of steps, or from a share of the run when below 1. */
export function warmupSteps(steps: number, totalSteps: number): number {
  return steps >= 1 ? steps : Math.ceil(totalSteps * steps);
}
