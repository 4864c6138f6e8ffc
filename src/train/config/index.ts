/** Configs of training runs. */
export {
  defaultOf,
  FREE_FIELDS,
  OUTPUT_FIELDS,
  REPORTERS,
  type TrainingConfig,
  trainingFields,
} from './fields.js';
export { type ConfigSource, configError, parseConfigFile, parseYamlFile } from './parse.js';
export {
  type BestRule,
  bestRule,
  checkTrainingConfig,
  type Frozen,
  frozenParts,
  totalSteps,
  warmupStepsOf,
} from './resolve.js';
