/** The memory plan of a run. */
export { checkPlan, type DeviceMemory, gib, type MemoryPlan, planMemory, planText } from './plan.js';
