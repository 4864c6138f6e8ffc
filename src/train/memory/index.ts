/** The memory plan of a run. */

export { type Fit, settingsText, settingsThatFit } from './fit.js';
export { checkPlan, type DeviceMemory, gib, type MemoryPlan, planMemory, planText } from './plan.js';
