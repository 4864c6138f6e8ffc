/** Supervised fine-tuning. */
export { parseSftConfig, type SftConfig } from './config.js';
export { buildExamples, type Example } from './examples.js';
export { makeSftTask, SftTask } from './task.js';
