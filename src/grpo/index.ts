/** Group Relative Policy Optimization, and PPO beside it. */
export { type GrpoConfig, parseGrpoConfig } from './config.js';
export { type LossSequence, type PolicyLoss, policyLoss } from './loss/policy-loss.js';
export {
  LOSS_DEFAULTS,
  LOSS_TYPES,
  type LossSettings,
  type LossType,
  type LossWindow,
} from './loss/settings.js';
export { type PassGroup, type PassResult, PolicyPass, type PolicyPassOptions, scorePass } from './pass.js';
export { type GrpoShare, openShare } from './share.js';
export {
  type GrpoEnvironment,
  GrpoTask,
  makeGrpoTask,
  makeSharedGrpoTask,
  type OpenExchange,
  type SharedRun,
} from './task.js';
