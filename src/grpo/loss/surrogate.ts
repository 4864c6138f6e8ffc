/** One token's policy loss as a function of its importance ratio, with derivatives. */
import type { LossSettings } from './settings.js';

/** A token's loss and where it comes from. */
export interface Surrogate {
  readonly loss: number;
  /** Derivative by the logarithm of the importance ratio. */
  readonly byLogRatio: number;
  /** Derivative by the log-probability where that enters by itself (`cispo`, `vespo`). */
  readonly byLogp: number;
  /** Whether the clip below, or the one above, held the ratio back. */
  readonly low: boolean;
  readonly high: boolean;
}

/** What a token's loss depends on. */
export interface SurrogateInput {
  readonly logRatio: number;
  readonly logp: number;
  readonly advantage: number;
  /** Sum of the log-ratios of the completion, as {@link heldLogRatio} has them, for `vespo`. */
  readonly sequenceLogRatio: number;
}

/** The loss of a token. */
export function surrogate(
  { logRatio, logp, advantage, sequenceLogRatio }: SurrogateInput,
  settings: LossSettings,
): Surrogate {
  const ratio = Math.exp(logRatio);
  switch (settings.lossType) {
    case 'cispo':
      return weighted(ratio, logp, advantage, settings);
    case 'sapo':
      return gated(ratio, advantage, settings);
    case 'vespo':
      return constant(gammaWeight(sequenceLogRatio, advantage, settings) * advantage, logp);
    default:
      return clipped(ratio, advantage, settings);
  }
}

/** PPO's clip. The bound `delta` is on the unclipped branch only, which a negative advantage would else follow anywhere. */
function clipped(ratio: number, advantage: number, settings: LossSettings): Surrogate {
  const [least, most] = [1 - settings.epsilon, 1 + settings.epsilonHigh];
  const bound = settings.delta ?? Number.POSITIVE_INFINITY;
  const bounded = Math.min(ratio, bound);
  const held = Math.min(Math.max(ratio, least), most);
  const free = bounded * advantage <= held * advantage;
  const moves = free ? ratio <= bound : ratio >= least && ratio <= most;
  return {
    loss: -(free ? bounded : held) * advantage,
    byLogRatio: moves ? -ratio * advantage : 0,
    byLogp: 0,
    low: bounded < least && advantage < 0,
    high: bounded > most && advantage > 0,
  };
}

/** CISPO: every token keeps its gradient, with a weight that is capped and taken as a constant. */
function weighted(ratio: number, logp: number, advantage: number, settings: LossSettings): Surrogate {
  const weight = Math.min(ratio, settings.epsilonHigh) * advantage;
  return { ...constant(weight, logp), high: ratio > settings.epsilonHigh && advantage > 0 };
}

/** A log-probability with a weight that is taken as a constant. */
function constant(weight: number, logp: number): Surrogate {
  return { loss: -weight * logp, byLogRatio: 0, byLogp: -weight, low: false, high: false };
}

/** A log-ratio as `vespo` adds it up. */
export function heldLogRatio(logRatio: number): number {
  return Math.min(Math.max(logRatio, -VESPO_MOST), VESPO_MOST);
}

const VESPO_LEAST = Math.log(1e-8);
const VESPO_MOST = 20;

/** VESPO's weight of a completion with an importance ratio w: w^k exp(lambda (1 - w)), which is 1 on policy. */
export function gammaWeight(sequenceLogRatio: number, advantage: number, settings: LossSettings): number {
  const logRatio = Math.min(Math.max(sequenceLogRatio, VESPO_LEAST), VESPO_MOST);
  const [k, lambda] =
    advantage >= 0
      ? [settings.vespoKPos, settings.vespoLambdaPos]
      : [settings.vespoKNeg, settings.vespoLambdaNeg];
  const decay = Math.max(lambda, 1e-4);
  const weight = Math.exp(decay + k * logRatio - decay * Math.exp(logRatio));
  return Number.isFinite(weight) ? weight : 0;
}

/** SAPO: a sigmoid around ratio 1 in the place of the clip, with slope 1 there. */
function gated(ratio: number, advantage: number, settings: LossSettings): Surrogate {
  const temperature = advantage > 0 ? settings.sapoTemperaturePos : settings.sapoTemperatureNeg;
  const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)));
  return {
    loss: (-4 / temperature) * gate * advantage,
    byLogRatio: -4 * gate * (1 - gate) * ratio * advantage,
    byLogp: 0,
    low: false,
    high: false,
  };
}

/** An estimate of the divergence from the reference. */
export interface Divergence {
  readonly value: number;
  readonly byLogp: number;
  readonly clamped: boolean;
}

/**
 * An estimate of r = reference - policy, with r held within `klClamp`: a token that the policy has all but given up would
 * otherwise overflow. Where r is held, the gradient is 0.
 */
export function divergence(
  refLogp: number,
  logp: number,
  { klClamp, klEstimator }: Pick<LossSettings, 'klClamp' | 'klEstimator'>,
): Divergence {
  const difference = refLogp - logp;
  const clamped = Math.abs(difference) > klClamp;
  const r = clamped ? Math.sign(difference) * klClamp : difference;
  const [value, byLogp] = ESTIMATES[klEstimator](r);
  return { value, byLogp: clamped ? 0 : byLogp, clamped };
}

/** Estimates of r, and their derivatives by the policy's log-probability. */
const ESTIMATES: Readonly<Record<LossSettings['klEstimator'], (r: number) => readonly [number, number]>> = {
  k1: (r) => [-r, 1],
  k2: (r) => [r ** 2 / 2, -r],
  k3: (r) => [Math.exp(r) - r - 1, 1 - Math.exp(r)],
};
