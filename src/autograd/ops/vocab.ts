/** Differentiable token log-probabilities and cross-entropy over the vocabulary, without ever holding all logits. */
import { check } from '../../gpu/index.js';
import {
  negativeLogLikelihood,
  negativeLogLikelihoodBackward,
  type TokenStatistics,
  tokenStatistics,
  tokenStatisticsBackward,
} from '../../kernels/vocab.js';
import { fromHost, type Tensor, zeros } from '../../tensor/index.js';
import { ACCUMULATED, differentiable } from '../graph.js';

/** Options of {@link tokenLogProbs}. */
export interface TokenLogProbsOptions {
  /** Logits are divided by it; 1 by default. */
  readonly temperature?: number;
  /** Bytes that the logits of one chunk of the vocabulary may take. */
  readonly scratchBytes?: number;
}

/**
 * For hidden states `h` [T, D], output weights [V, D] (f32, f16 or bf16) and target ids i32 [T]: the log-probability of
 * each target under softmax(h weight^T / temperature), the entropy and the log-sum-exp of that distribution, and whether
 * the target is its most likely token (1 or 0), each [T]. Log-probability and entropy are differentiable with respect to
 * `h` and `weight`; the others are not. A target outside 0..V-1 (such as -100) has log-probability 0 and no gradient.
 */
export function tokenLogProbs(
  h: Tensor,
  weight: Tensor,
  targets: Tensor,
  options: TokenLogProbsOptions = {},
): TokenStatistics {
  const { temperature = 1, scratchBytes } = options;
  const { logp, entropy, lse, hit } = tokenStatistics({ h, weight, targets, temperature, scratchBytes });
  const ownLse = lse.alias();
  differentiable({
    name: 'tokenLogProbs',
    inputs: [h, weight, targets],
    outputs: [logp, entropy],
    saved: [h, weight, targets, entropy, ownLse],
    backward: ([logpGrad, entropyGrad], [x, w, ids, savedEntropy, savedLse], { needs, accumulator }) => {
      const existing = needs[1] ? accumulator(1) : null;
      const dw = needs[1] ? (existing ?? zeros(w.gpu, w.shape, { purpose: 'gradients' })) : null;
      const dh = tokenStatisticsBackward(
        { h: x, weight: w, targets: ids, temperature, scratchBytes },
        { entropy: savedEntropy, lse: savedLse },
        { logpGrad, entropyGrad, needsH: needs[0], weightGrad: dw },
      );
      return [dh, existing ? ACCUMULATED : dw, null];
    },
  });
  return { logp, entropy, lse, hit };
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends TokenLogProbsOptions {
  /** Targets with this value do not count; -100 by default. */
  readonly ignoreIndex?: number;
  /** Mean over the targets that count (default), or their sum. */
  readonly reduction?: 'mean' | 'sum';
}

/**
 * Cross-entropy of softmax(h weight^T / temperature) against target ids (i32 [T], or numbers on the host), one element.
 * Targets already stand beside the hidden states that predict them: nothing is shifted. Targets that are neither in
 * 0..V-1 nor `ignoreIndex` are rejected on the host and make the loss NaN on the device; so does a mean over no targets.
 */
export function crossEntropy(
  h: Tensor,
  weight: Tensor,
  targets: Tensor | ArrayLike<number>,
  options: CrossEntropyOptions = {},
): Tensor {
  const { ignoreIndex = -100, reduction = 'mean', ...rest } = options;
  if (!('isTensor' in targets)) {
    const uploaded = uploadTargets(h, weight, targets, ignoreIndex);
    const loss = crossEntropy(h, weight, uploaded, options);
    uploaded.dispose();
    return loss;
  }
  const { logp, entropy, lse, hit } = tokenLogProbs(h, weight, targets, rest);
  const nll = { vocab: weight.shape[0], ignoreIndex, reduction };
  const result = negativeLogLikelihood(logp, targets, nll);
  const loss = result.alias([]);
  differentiable({
    name: 'crossEntropy',
    inputs: [logp, targets],
    outputs: [loss],
    saved: [targets, result],
    backward: ([g], [ids, counted]) => [negativeLogLikelihoodBackward(g!, ids, counted, nll), null],
  });
  for (const t of [logp, entropy, lse, hit]) t.dispose();
  return loss;
}

function uploadTargets(h: Tensor, weight: Tensor, targets: ArrayLike<number>, ignore: number): Tensor {
  const vocab = weight.shape[0];
  for (let i = 0; i < targets.length; i++) {
    const id = targets[i];
    check(id === ignore || (Number.isInteger(id) && id >= 0 && id < vocab), 'value', () => {
      return `crossEntropy: target ${id} at position ${i} is neither in 0..${vocab - 1} nor the ignored value ${ignore}`;
    });
  }
  return fromHost(h.gpu, Int32Array.from(targets), [targets.length], 'i32');
}
