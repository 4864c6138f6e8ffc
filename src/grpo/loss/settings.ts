/** What the policy loss can be told, under TRL's names in camel case. */

/** How per-token losses are made and averaged. */
export const LOSS_TYPES = ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo', 'sapo', 'luspo', 'vespo'] as const;

/** How per-token losses are made and averaged. */
export type LossType = (typeof LOSS_TYPES)[number];

/** `token`: every token has an importance ratio of its own; `sequence`: all tokens of a completion share one (GSPO). */
export const IMPORTANCE_LEVELS = ['token', 'sequence'] as const;

/** Estimates of the divergence from the reference, for r = log reference - log policy: -r, r²/2, and exp(r) - r - 1. */
export const KL_ESTIMATORS = ['k1', 'k2', 'k3'] as const;

/** Settings of `policyLoss`. */
export interface LossSettings {
  readonly lossType: LossType;
  readonly importanceSamplingLevel: (typeof IMPORTANCE_LEVELS)[number];
  /** Ratios below 1 - epsilon no longer push probabilities down. */
  readonly epsilon: number;
  /** Ratios above 1 + epsilonHigh no longer push them up; for `cispo` the largest weight itself. */
  readonly epsilonHigh: number;
  /** Bound on the ratio where the clip leaves it unbounded (a negative advantage and a ratio far above 1); null for none. */
  readonly delta: number | null;
  /** Weight of the divergence from the reference; 0 needs no reference. */
  readonly beta: number;
  /** The log-ratio to the reference is held within this before it is exponentiated. */
  readonly klClamp: number;
  readonly klEstimator: (typeof KL_ESTIMATORS)[number];
  /** Multiplies the divergence by the importance ratio, so that its gradient is that of the reverse divergence. */
  readonly useBiasCorrectionKl: boolean;
  /** Completions of a negative advantage whose mean log-ratio to the sampler is over this have no policy loss; null for none. */
  readonly offPolicyMaskThreshold: number | null;
  /** Weight of the entropy bonus. */
  readonly entropyCoef: number;
  /** Only this share of the tokens, those of the highest entropy, has a policy loss; 1 for all. */
  readonly topEntropyQuantile: number;
  /** Temperatures of `sapo` for advantages above 0 and for the others. */
  readonly sapoTemperaturePos: number;
  readonly sapoTemperatureNeg: number;
  /** Powers and decays of the weights of `vespo`, for advantages of 0 or more and for the others. */
  readonly vespoKPos: number;
  readonly vespoLambdaPos: number;
  readonly vespoKNeg: number;
  readonly vespoLambdaNeg: number;
}

/** TRL's defaults, but for the bias correction, which TRL switched on later. */
export const LOSS_DEFAULTS: LossSettings = {
  lossType: 'dapo',
  importanceSamplingLevel: 'token',
  epsilon: 0.2,
  epsilonHigh: 0.2,
  delta: null,
  beta: 0,
  klClamp: 20,
  klEstimator: 'k3',
  useBiasCorrectionKl: false,
  offPolicyMaskThreshold: null,
  entropyCoef: 0,
  topEntropyQuantile: 1,
  sapoTemperaturePos: 1,
  sapoTemperatureNeg: 1.05,
  vespoKPos: 2,
  vespoLambdaPos: 3,
  vespoKNeg: 3,
  vespoLambdaNeg: 2,
};

/** What the average runs over beyond the micro-batch. */
export interface LossWindow {
  /** Micro-batches of the optimizer step. */
  readonly accumulation: number;
  /** Tokens that count in an optimizer step's share of the generation batch: the divisor of `dapo`, `cispo` and `vespo`. */
  readonly tokens: number;
  /** Divisor of `dr_grpo`, with the number of completions. */
  readonly maxCompletionLength: number;
}
