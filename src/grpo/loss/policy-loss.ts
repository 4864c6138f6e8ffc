/**
 * The policy loss of a micro-batch, and its gradients by every token's log-probability and entropy.
 *
 * It is computed on the host, in double precision, from the log-probabilities that the forward pass gives. These few
 * thousand numbers come back anyway, since every metric is made of them; and the gradients go to the device as the weights
 * of a sum of log-probabilities, which is all that the backward pass through the vocabulary needs to know of the loss.
 */
import type { LossSettings, LossWindow } from './settings.js';
import { LossStatistics } from './statistics.js';
import { divergence, gammaWeight, heldLogRatio, surrogate } from './surrogate.js';

/** A completion as the loss sees it; lists have one number per token. */
export interface LossSequence {
  readonly logps: ArrayLike<number>;
  readonly entropies: ArrayLike<number>;
  /** Log-probabilities under the policy that drew the tokens; null where it is still the same policy. */
  readonly oldLogps: ArrayLike<number> | null;
  /** Log-probabilities that the sampler gave, for the mask of what is off policy. */
  readonly samplerLogps?: ArrayLike<number> | null;
  /** Log-probabilities under the reference; may be null if beta is 0. */
  readonly refLogps: ArrayLike<number> | null;
  /** One for the completion, or one per token. */
  readonly advantage: number | ArrayLike<number>;
  /** 1 for tokens that count, 0 for others; null if all do. */
  readonly mask: ArrayLike<number> | null;
}

/** What `policyLoss` gives. */
export interface PolicyLoss {
  /** What is differentiated, as far as this micro-batch adds to it. */
  readonly loss: number;
  /** The same without the entropy bonus. */
  readonly policyLoss: number;
  /** Derivatives of `loss` by each token's log-probability, by sequence. */
  readonly logpGrads: readonly Float32Array[];
  /** And by its entropy; null without an entropy bonus. */
  readonly entropyGrads: readonly Float32Array[] | null;
  readonly statistics: LossStatistics;
}

/** The loss of the completions of one micro-batch. */
export function policyLoss(
  sequences: readonly LossSequence[],
  settings: LossSettings,
  window: LossWindow,
): PolicyLoss {
  const counts = sequences.map(countTokens);
  const weights = tokenWeights(counts, settings, window);
  const threshold = entropyThreshold(sequences, settings.topEntropyQuantile);
  const statistics = new LossStatistics(settings);
  let total = 0;
  const logpGrads = sequences.map((sequence, i) => {
    const { loss, grads } = sequenceLoss(sequence, counts[i], weights[i], threshold, settings, statistics);
    total += loss;
    return grads;
  });
  const bonus = settings.entropyCoef === 0 ? null : entropyBonus(sequences, threshold, settings, window);
  return {
    loss: total - (bonus?.value ?? 0),
    policyLoss: total,
    logpGrads,
    entropyGrads: bonus?.grads ?? null,
    statistics,
  };
}

function countTokens({ logps, mask }: LossSequence): number {
  if (!mask) return logps.length;
  let count = 0;
  for (let t = 0; t < logps.length; t++) count += mask[t];
  return count;
}

/** What each token of a sequence weighs in the loss, by sequence. */
function tokenWeights(
  counts: readonly number[],
  { lossType }: LossSettings,
  window: LossWindow,
): readonly number[] {
  const share = 1 / (counts.length * window.accumulation);
  switch (lossType) {
    case 'grpo':
    case 'sapo':
      return counts.map((count) => share / Math.max(count, 1));
    case 'bnpo': {
      const tokens = counts.reduce((sum, count) => sum + count, 0);
      return counts.map(() => 1 / (Math.max(tokens, 1) * window.accumulation));
    }
    case 'dr_grpo':
      return counts.map(() => share / window.maxCompletionLength);
    case 'luspo':
      return counts.map(() => share);
    case 'dapo':
    case 'cispo':
    case 'vespo':
      return counts.map(() => 1 / Math.max(window.tokens, 1));
  }
}

function sequenceLoss(
  sequence: LossSequence,
  count: number,
  weight: number,
  threshold: number,
  settings: LossSettings,
  statistics: LossStatistics,
): { loss: number; grads: Float32Array } {
  const { logps, entropies, oldLogps, refLogps, advantage, mask } = sequence;
  const length = logps.length;
  const grads = new Float64Array(length);
  const logRatio = (t: number) => (oldLogps ? logps[t] - oldLogps[t] : 0);
  const shared = settings.importanceSamplingLevel === 'sequence';
  const over = (values: (t: number) => number) => {
    let sum = 0;
    for (let t = 0; t < length; t++) sum += (mask?.[t] ?? 1) * values(t);
    return sum;
  };
  const meanLogRatio = shared ? over(logRatio) / Math.max(count, 1) : 0;
  const vespo = settings.lossType === 'vespo';
  const sequenceLogRatio = vespo ? over((t) => heldLogRatio(logRatio(t))) : 0;
  if (vespo) statistics.weight(gammaWeight(sequenceLogRatio, meanAdvantage(advantage), settings));
  const strayed = isStrayed(sequence, over, count, settings);
  if (settings.offPolicyMaskThreshold !== null) statistics.masked(strayed && meanAdvantage(advantage) < 0);
  let loss = 0;
  let throughRatio = 0;
  statistics.beginSequence();
  for (let t = 0; t < length; t++) {
    if (mask?.[t] === 0) continue;
    const own = shared ? meanLogRatio : logRatio(t);
    const ratio = Math.exp(own);
    const gain = typeof advantage === 'number' ? advantage : advantage[t];
    const term = surrogate({ logRatio: own, logp: logps[t], advantage: gain, sequenceLogRatio }, settings);
    statistics.token(term, entropies[t], ratio);
    if (entropies[t] >= threshold && !(strayed && gain < 0)) {
      loss += weight * term.loss;
      grads[t] += weight * term.byLogp;
      if (shared) throughRatio += weight * term.byLogRatio;
      else grads[t] += weight * term.byLogRatio;
    }
    if (settings.beta !== 0 && refLogps) {
      const kl = divergence(refLogps[t], logps[t], settings);
      const scale = settings.useBiasCorrectionKl ? ratio : 1;
      statistics.divergence(scale * kl.value, kl.clamped);
      loss += weight * settings.beta * scale * kl.value;
      grads[t] += weight * settings.beta * scale * kl.byLogp;
      if (settings.useBiasCorrectionKl) {
        const byLogRatio = weight * settings.beta * ratio * kl.value;
        if (shared) throughRatio += byLogRatio;
        else grads[t] += byLogRatio;
      }
    }
  }
  if (shared && count > 0) {
    // Every token that counts moves the ratio that all of them share.
    for (let t = 0; t < length; t++) grads[t] += ((mask?.[t] ?? 1) * throughRatio) / count;
  }
  statistics.endSequence(count);
  return { loss, grads: Float32Array.from(grads) };
}

/** Whether the policy has moved away from what the sampler drew by more than the threshold, on average over the tokens. */
function isStrayed(
  { logps, oldLogps, samplerLogps }: LossSequence,
  over: (values: (t: number) => number) => number,
  count: number,
  { offPolicyMaskThreshold }: LossSettings,
): boolean {
  const drawn = samplerLogps ?? oldLogps;
  if (offPolicyMaskThreshold === null || !drawn) return false;
  return over((t) => drawn[t] - logps[t]) / Math.max(count, 1) > offPolicyMaskThreshold;
}

function meanAdvantage(advantage: number | ArrayLike<number>): number {
  if (typeof advantage === 'number') return advantage;
  return Array.from(advantage).reduce((sum, value) => sum + value, 0) / Math.max(advantage.length, 1);
}

/** The entropy from which on a token has a policy loss: a quantile of the micro-batch, interpolated as torch does. */
function entropyThreshold(sequences: readonly LossSequence[], topQuantile: number): number {
  if (topQuantile >= 1) return Number.NEGATIVE_INFINITY;
  const all = sequences
    .flatMap(({ entropies, mask }) => Array.from(entropies).filter((_, t) => mask?.[t] !== 0))
    .sort((a, b) => a - b);
  if (all.length === 0) return Number.NEGATIVE_INFINITY;
  const at = (1 - topQuantile) * (all.length - 1);
  const below = Math.floor(at);
  const above = all[Math.min(below + 1, all.length - 1)];
  return all[below] + (at - below) * (above - all[below]);
}

/** The mean entropy of the tokens that have a policy loss, and its gradients. */
function entropyBonus(
  sequences: readonly LossSequence[],
  threshold: number,
  settings: LossSettings,
  window: LossWindow,
): { value: number; grads: readonly Float32Array[] } {
  let sum = 0;
  let count = 0;
  const acting = sequences.map(({ entropies, mask }) =>
    Float32Array.from(entropies, (entropy, t) => {
      if (mask?.[t] === 0 || entropy < threshold) return 0;
      sum += entropy;
      count++;
      return 1;
    }),
  );
  const scale = settings.entropyCoef / (Math.max(count, 1) * window.accumulation);
  return { value: scale * sum, grads: acting.map((list) => list.map((acts) => (acts ? -scale : 0))) };
}
