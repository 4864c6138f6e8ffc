/** Reasoning data by logic-constrained rejection sampling: candidates from a model, accepted only where they hold. */
export { EndpointError } from '../endpoint/client.js';
export type { Candidate, CandidateSource, CandidateTask, FailedCandidate } from './candidate.js';
export {
  brokenConstraint,
  CONSTRAINTS,
  type ConstraintCause,
  type ConstraintSettings,
  DEFAULT_CONSTRAINTS,
} from './constraints.js';
export { type EndpointOptions, EndpointSource } from './endpoint-source.js';
export { type Judgement, type JudgeSettings, judge, type Rejection, type RejectionCause } from './judge.js';
export { type LocalOptions, LocalSource } from './local-source.js';
export { type SynthOptions, type SynthProgress, type SynthSummary, synthesize } from './synthesize.js';
