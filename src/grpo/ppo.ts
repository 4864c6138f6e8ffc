/** What PPO has that GRPO has not: a value head, advantages per token, and a loss for the values. */

import type { Model } from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import { zeros } from '../tensor/index.js';
import type { ValueHead } from './pass.js';

const WEIGHT = 'value_head.weight';
const BIAS = 'value_head.bias';

/** Adds a head that values everything at 0 to the weights that train. */
export function addValueHead(model: Model, into: Parameters): void {
  const { gpu, config } = model;
  into.set(WEIGHT, zeros(gpu, [1, config.text.hiddenSize], { purpose: 'weights' }).requireGrad());
  into.set(BIAS, zeros(gpu, [1], { purpose: 'weights' }).requireGrad());
}

/** The head among the weights that train. */
export function valueHead(parameters: Parameters): ValueHead {
  return { weight: parameters.get(WEIGHT), bias: parameters.get(BIAS) };
}

/** Advantages and returns of a completion's tokens. */
export interface TokenAdvantages {
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
}

/**
 * Generalised advantage estimation, from a reward per token. After the last token there is nothing, also where the cap on
 * tokens ended the completion.
 */
export function gae(
  values: ArrayLike<number>,
  rewards: ArrayLike<number>,
  { gamma, lambda }: { readonly gamma: number; readonly lambda: number },
): TokenAdvantages {
  const length = values.length;
  const advantages = new Float32Array(length);
  let next = 0;
  for (let t = length - 1; t >= 0; t--) {
    const later = t === length - 1 ? 0 : gamma * values[t + 1];
    const delta = rewards[t] + later - values[t];
    next = delta + gamma * lambda * next;
    advantages[t] = next;
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]) };
}

/** Brings numbers to mean 0 and deviation 1, over all lists together; without `shift` they keep their mean. */
export function whiten(lists: readonly Float32Array[], { shift = true } = {}): Float32Array[] {
  let [count, sum, squares] = [0, 0, 0];
  for (const list of lists) {
    for (const value of list) {
      count++;
      sum += value;
    }
  }
  const mean = sum / Math.max(count, 1);
  for (const list of lists) for (const value of list) squares += (value - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / Math.max(count - 1, 1) + 1e-8);
  const centre = shift ? 0 : mean;
  return lists.map((list) => list.map((value) => (value - mean) * scale + centre));
}

/** A completion as the value loss sees it. */
export interface ValueSequence {
  readonly values: ArrayLike<number>;
  /** At the rollout. */
  readonly oldValues: ArrayLike<number>;
  readonly returns: ArrayLike<number>;
}

/** Sums over the tokens of a micro-batch. */
export interface ValueLoss {
  readonly loss: number;
  /** Derivatives of `weight * loss` by each value. */
  readonly grads: readonly Float32Array[];
  /** Tokens whose value moved further than the clip. */
  readonly clipped: number;
}

/**
 * Half the squared error of the values, the larger one of that of the value and that of the value held near its old one, so
 * that moving away from the return is always punished.
 *
 * @param weight on every token: the coefficient over the number of tokens in the step.
 */
export function valueLoss(sequences: readonly ValueSequence[], clip: number, weight: number): ValueLoss {
  let loss = 0;
  let clipped = 0;
  const grads = sequences.map(({ values, oldValues, returns }) =>
    Float32Array.from(values, (value, t) => {
      const held = Math.min(Math.max(value, oldValues[t] - clip), oldValues[t] + clip);
      const free = (value - returns[t]) ** 2;
      const bound = (held - returns[t]) ** 2;
      loss += Math.max(free, bound) / 2;
      if (held !== value) clipped++;
      // Where the held value counts, it does not move.
      return free >= bound ? weight * (value - returns[t]) : 0;
    }),
  );
  return { loss, grads, clipped };
}
