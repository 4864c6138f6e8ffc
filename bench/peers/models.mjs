// The two models that the contestants train: what they compute, their parameters, and where these start.
//
// Conventions: all f32, row-major. A linear layer is y = x W + b with W of shape [in, out].
// Adam: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),
// t = 1 for the first step, no weight decay, every parameter.
import { integers, uniform } from './random.mjs';

/** @typedef {{ shape: number[], data: Float32Array | Int32Array }} HostTensor */
/** @typedef {Map<string, HostTensor>} ParameterMap in the order of the forward pass */

export const ADAM = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** loss = mean((relu(x w1 + b1) w2 + b2 - target)^2) over all batch * out numbers. */
export const MLP = { batch: 256, in: 512, hidden: 1024, out: 512 };

/**
 * Decoder, pre-LN, per block: x += attention(LN(x)); x += down(gelu_tanh(up(LN(x)))); then LN and an untied head without
 * bias. LN eps 1e-5 (biased variance). Attention: causal, scale 1/sqrt(32); head h owns columns 32h .. 32h+31 of q, k, v.
 * loss = mean cross entropy over all batch * sequence positions.
 */
export const GPT = {
  layers: 2,
  width: 128,
  heads: 4,
  hidden: 512,
  sequence: 128,
  batch: 8,
  vocabulary: 512,
  eps: 1e-5,
};

const count = (shape) => shape.reduce((a, b) => a * b, 1);
const random = (name, shape, scale) => ({ shape, data: uniform(name, count(shape), scale) });
const constant = (shape, value) => ({ shape, data: new Float32Array(count(shape)).fill(value) });

/** Weights uniform in +-1/sqrt(in) (embeddings +-0.1), biases 0, norm gains 1. Fresh copies at each call. */
export function mlpParameters() {
  const { in: n, hidden, out } = MLP;
  return new Map([
    ['w1', random('mlp.w1', [n, hidden], n ** -0.5)],
    ['b1', constant([hidden], 0)],
    ['w2', random('mlp.w2', [hidden, out], hidden ** -0.5)],
    ['b2', constant([out], 0)],
  ]);
}

/** @returns {{ x: HostTensor, target: HostTensor }} */
export function mlpInputs() {
  return {
    x: random('mlp.x', [MLP.batch, MLP.in], 1),
    target: random('mlp.target', [MLP.batch, MLP.out], 1),
  };
}

/** See mlpParameters for the initialisation. @returns {ParameterMap} */
export function gptParameters() {
  const { layers, width: d, hidden, sequence, vocabulary } = GPT;
  const parameters = new Map();
  const linear = (name, rows, columns) => {
    parameters.set(`${name}.w`, random(`gpt.${name}.w`, [rows, columns], rows ** -0.5));
    parameters.set(`${name}.b`, constant([columns], 0));
  };
  const norm = (name) => {
    parameters.set(`${name}.g`, constant([d], 1));
    parameters.set(`${name}.b`, constant([d], 0));
  };
  parameters.set('wte', random('gpt.wte', [vocabulary, d], 0.1));
  parameters.set('wpe', random('gpt.wpe', [sequence, d], 0.1));
  for (let i = 0; i < layers; i++) {
    norm(`h${i}.ln1`);
    for (const part of ['q', 'k', 'v', 'o']) linear(`h${i}.${part}`, d, d);
    norm(`h${i}.ln2`);
    linear(`h${i}.up`, d, hidden);
    linear(`h${i}.down`, hidden, d);
  }
  norm('lnf');
  parameters.set('head.w', random('gpt.head.w', [d, vocabulary], d ** -0.5));
  return parameters;
}

/** Token ids and the ids to predict, both [batch, sequence]: rows of sequence + 1 random ids, shifted by one. */
export function gptInputs() {
  const { batch, sequence, vocabulary } = GPT;
  const ids = integers('gpt.ids', batch * (sequence + 1), vocabulary);
  const rows = (offset) => ({
    shape: [batch, sequence],
    data: Int32Array.from({ length: batch * sequence }, (_, i) => {
      const row = Math.floor(i / sequence);
      return ids[row * (sequence + 1) + (i % sequence) + offset];
    }),
  });
  return { tokens: rows(0), targets: rows(1) };
}
