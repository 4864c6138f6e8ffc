/** Optimizers and learning-rate schedules. */
export {
  AdamW,
  type AdamWSettings,
  type AdamWSlot,
  type ParameterGroup,
  type UpdateResult,
} from './adamw.js';
export {
  SCHEDULES,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
  schedule,
  warmupSteps,
} from './schedule.js';
