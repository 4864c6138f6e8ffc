/** One token's policy loss as a function of its importance ratio, with derivatives. */
import type { LossSettings } from './settings.js';

/** A token's loss and where it comes from. */
export interface Surrogate {
  readonly loss: number;
  /** Derivative by the logarithm of the importance ratio. */
  readonly byLogRatio: number;
  /** Derivative by the log-probability where that enters by itself (`cispo`). */
  readonly byLogp: number;
  /** Whether the clip below, or the one above, held the ratio back. */
  readonly low: boolean;
  readonly high: boolean;
}

/** The loss of a token of a given advantage. */
export function surrogate(
  logRatio: number,
  logp: number,
  advantage: number,
  settings: LossSettings,
): Surrogate {
  const ratio = Math.exp(logRatio);
  switch (settings.lossType) {
    case 'cispo':
      return weighted(ratio, logp, advantage, settings);
    case 'sapo':
      return gated(ratio, advantage, settings);
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
  return {
    loss: -weight * logp,
    byLogRatio: 0,
    byLogp: -weight,
    low: false,
    high: ratio > settings.epsilonHigh && advantage > 0,
  };
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

/** The k3 estimate of the divergence from the reference. */
export interface Divergence {
  readonly value: number;
  readonly byLogp: number;
  readonly clamped: boolean;
}

/**
 * exp(r) - r - 1 for r = reference - policy, with r held within `clamp`: a token that the policy has all but given up
 * would otherwise overflow. Where r is held, the gradient is 0.
 */
export function divergence(refLogp: number, logp: number, clamp: number): Divergence {
  const difference = refLogp - logp;
  const clamped = Math.abs(difference) > clamp;
  const r = clamped ? Math.sign(difference) * clamp : difference;
  const value = Math.exp(r) - r - 1;
  return { value, byLogp: clamped ? 0 : 1 - Math.exp(r), clamped };
}
