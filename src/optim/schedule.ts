/** Learning rates over a run, as transformers computes them. */
import { check } from '../gpu/index.js';

/** Names of the schedules, which are those of transformers. */
export const SCHEDULES = [
  'constant',
  'constant_with_warmup',
  'linear',
  'cosine',
  'cosine_with_restarts',
  'cosine_with_min_lr',
  'warmup_stable_decay',
] as const;

/** See {@link SCHEDULES}. */
export type ScheduleName = (typeof SCHEDULES)[number];

/** How a rate rises or falls between two stages of `warmup_stable_decay`. */
export const RAMPS = ['linear', 'cosine', '1-sqrt'] as const;

/** What a schedule can be told, by the names of transformers' `lr_scheduler_kwargs`. */
export interface ScheduleArguments {
  /** Waves of a cosine: 0.5 by default, which falls once; of restarts 1. */
  readonly num_cycles?: number | undefined;
  /** Where `cosine_with_min_lr` ends: a rate, or a share of the learning rate. */
  readonly min_lr?: number | undefined;
  readonly min_lr_rate?: number | undefined;
  /** Of `warmup_stable_decay`: steps of the decay, and of the part between, which is what is left by default. */
  readonly num_decay_steps?: number | undefined;
  readonly num_stable_steps?: number | undefined;
  readonly warmup_type?: (typeof RAMPS)[number] | undefined;
  readonly decay_type?: (typeof RAMPS)[number] | undefined;
  readonly min_lr_ratio?: number | undefined;
}

/** Arguments that each schedule takes. */
export const SCHEDULE_ARGUMENTS: Readonly<Record<ScheduleName, readonly (keyof ScheduleArguments)[]>> = {
  constant: [],
  constant_with_warmup: [],
  linear: [],
  cosine: ['num_cycles'],
  cosine_with_restarts: ['num_cycles'],
  cosine_with_min_lr: ['num_cycles', 'min_lr', 'min_lr_rate'],
  warmup_stable_decay: [
    'num_cycles',
    'num_decay_steps',
    'num_stable_steps',
    'warmup_type',
    'decay_type',
    'min_lr_ratio',
  ],
};

/** A schedule's shape. */
export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** Steps that the rate takes to rise from 0; `constant` has none. */
  readonly warmupSteps: number;
  readonly totalSteps: number;
  /** What `min_lr` is a share of. */
  readonly learningRate?: number;
  readonly arguments?: ScheduleArguments;
}

/** Factor on the learning rate for each step, counting from 1. */
export type Schedule = (step: number) => number;

/** The schedule of a run. */
export function schedule(options: ScheduleOptions): Schedule {
  const { name, warmupSteps, totalSteps } = options;
  check(warmupSteps >= 0 && totalSteps >= 1, 'value', () => {
    return `schedule: ${warmupSteps} warm-up steps of ${totalSteps} steps`;
  });
  // transformers counts the steps that were taken before.
  if (name === 'warmup_stable_decay') return (step) => stages(step - 1, options);
  const decay = DECAYS[name];
  return (step) => {
    const done = step - 1;
    if (name !== 'constant' && done < warmupSteps) return done / warmupSteps;
    return Math.max(0, decay((done - warmupSteps) / Math.max(1, totalSteps - warmupSteps), options));
  };
}

type Decay = (share: number, options: ScheduleOptions) => number;

/** Factors after the warm-up, by the share of the remaining steps that is done. */
const DECAYS: Readonly<Record<Exclude<ScheduleName, 'warmup_stable_decay'>, Decay>> = {
  constant: () => 1,
  constant_with_warmup: () => 1,
  linear: (share) => 1 - share,
  cosine: (share, { arguments: { num_cycles = 0.5 } = {} }) => wave(share, num_cycles),
  cosine_with_restarts: (share, { arguments: { num_cycles = 1 } = {} }) =>
    share >= 1 ? 0 : wave((num_cycles * share) % 1, 0.5),
  cosine_with_min_lr: (share, { learningRate = 1, arguments: given = {} }) => {
    const { num_cycles = 0.5, min_lr, min_lr_rate = 0 } = given;
    return above(min_lr === undefined ? min_lr_rate : min_lr / learningRate, wave(share, num_cycles));
  },
};

/** A rise, a plateau, a fall. */
function stages(done: number, { warmupSteps, totalSteps, arguments: given = {} }: ScheduleOptions): number {
  const { num_decay_steps: decay = 0, num_cycles = 0.5, min_lr_ratio: least = 0 } = given;
  const { warmup_type = 'linear', decay_type = 'cosine' } = given;
  const stable = given.num_stable_steps ?? totalSteps - warmupSteps - decay;
  if (done < warmupSteps)
    return Math.max(0, above(least, rise(warmup_type, done / Math.max(1, warmupSteps))));
  if (done < warmupSteps + stable) return 1;
  if (done >= warmupSteps + stable + decay) return least;
  const share = (done - warmupSteps - stable) / Math.max(1, decay);
  const fall = { linear: 1 - share, cosine: wave(share, num_cycles), '1-sqrt': 1 - Math.sqrt(share) };
  return Math.max(0, above(least, fall[decay_type]));
}

function rise(type: (typeof RAMPS)[number], share: number): number {
  if (type === 'linear') return share;
  return type === 'cosine' ? 0.5 * (1 - Math.cos(Math.PI * share)) : 1 - Math.sqrt(1 - share);
}

function wave(share: number, cycles: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * share));
}

function above(least: number, factor: number): number {
  return factor * (1 - least) + least;
}

/** Warm-up steps from a number of steps, or from a share of the run when below 1. */
export function warmupSteps(steps: number, totalSteps: number): number {
  return steps >= 1 ? steps : Math.ceil(totalSteps * steps);
}
