/** The memory plan of a run. */

export {
  checkPlan,
  type DeviceMemory,
  explainShortage,
  type FindFits,
  memoryText,
  usable,
} from './device.js';
export { type Fit, type FitProblem, fitsText, type Settings, settingsText, settingsThatFit } from './fit.js';
export { gib, type MemoryPlan, planMemory, planText } from './plan.js';
