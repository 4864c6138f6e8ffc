/** Automatic differentiation: ops that record, backward passes, checkpointing, gradient checks. */
export { type BackwardOptions, backward, gradients } from './backward.js';
export { type Alike, checkpoint, checkpointAlike } from './checkpoint.js';
export { type GradcheckOptions, type GradcheckResult, gradcheck } from './gradcheck.js';
export {
  ACCUMULATED,
  type BackwardContext,
  type BackwardFunction,
  differentiable,
  gradEnabled,
  type InputGradient,
  noGrad,
  type OpRecord,
  withGrad,
} from './graph.js';
export type { Operand } from './methods.js';
export * from './ops/index.js';
export { type Outcome, Repeats } from './repeat.js';

import './methods.js';
