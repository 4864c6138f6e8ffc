/** Optimizers and learning-rate schedules. */
export { AdamW, type AdamWSettings, type ParameterGroup, type UpdateResult } from './adamw.js';
export type { GradientHandling } from './gradients.js';
export {
  RAMPS,
  SCHEDULE_ARGUMENTS,
  SCHEDULES,
  type Schedule,
  type ScheduleArguments,
  type ScheduleName,
  type ScheduleOptions,
  schedule,
  warmupSteps,
} from './schedule.js';
export { type AdamWSlot, type Moments, OPTIMIZERS, type OptimizerName, slotTensors } from './slot.js';
