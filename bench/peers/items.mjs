// The work items: inputs, sizes, and how a result is checked. See README.md for what each computes.
import { readFileSync } from 'node:fs';
import { ADAM, GPT, gptInputs, gptParameters, MLP, mlpInputs, mlpParameters } from './models.mjs';
import { integers, uniform } from './random.mjs';
import { attention, layerNorm, matmul, softmax } from './reference/ops.mjs';

/**
 * @typedef {import("./models.mjs").HostTensor} HostTensor
 * @typedef {object} Check what became of a check: `error` in units where `limit` is the largest that passes
 * @property {number} error
 * @property {number} limit
 *
 * @typedef {object} Item
 * @property {string} name
 * @property {string} what one line for people
 * @property {"op" | "train"} kind an op computes the same again at each run; a training item makes one step at each run
 * @property {Record<string, number>} sizes
 * @property {number} flops per run, multiply and add counted apart
 * @property {number} [bytes] per run, for items bound by memory
 * @property {() => Record<string, HostTensor>} inputs
 * @property {() => Map<string, HostTensor>} [parameters] starting weights; fresh copies at each call
 * @property {{ name: string, index: number }[]} [probes] training: the parameters that `result()` returns after the loss
 * @property {number[]} [checkedSteps] training: the steps after which `check` knows the answer
 * @property {(result: Float32Array, step?: number) => Check} check
 */

const expected = JSON.parse(
  readFileSync(new URL('./reference/fixtures/expected.json', import.meta.url), 'utf8'),
);

const tensor = (name, shape, scale = 1) => ({
  shape,
  data: uniform(
    name,
    shape.reduce((a, b) => a * b, 1),
    scale,
  ),
});

/** Largest difference, relative to the largest reference value. A result that is too short or not finite fails. */
function relativeError(result, at, values) {
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const difference = Math.abs(result[at(i)] - values[i]);
    worst = Number.isFinite(difference) ? Math.max(worst, difference) : Infinity;
    largest = Math.max(largest, Math.abs(values[i]));
  }
  return worst / largest;
}

/** Checks some rows of the result against float64. `referenceRow(i)` computes one row. */
function checkRows(rows, width, referenceRow) {
  const picked = [0, rows - 1, ...integers(`rows.${rows}x${width}`, 6, rows)];
  let references;
  return (result) => {
    if (result.length !== rows * width) return { error: Infinity, limit: 0 };
    references ??= picked.map(referenceRow);
    const errors = references.map((values, i) => relativeError(result, (j) => picked[i] * width + j, values));
    return { error: Math.max(...errors), limit: 1e-5 };
  };
}

function product(name, what, m, k, n) {
  const inputs = () => ({ a: tensor(`${name}.a`, [m, k]), b: tensor(`${name}.b`, [k, n]) });
  const check = checkRows(m, n, (row) => {
    const { a, b } = inputs();
    return matmul(a.data.subarray(row * k, (row + 1) * k), b.data, 1, k, n);
  });
  return {
    name,
    what,
    kind: 'op',
    sizes: { m, k, n },
    flops: 2 * m * k * n,
    bytes: 4 * (m * k + k * n + m * n),
    inputs,
    check,
  };
}

function softmaxItem() {
  const [rows, width] = [1024, 1024];
  const inputs = () => ({ x: tensor('softmax.x', [rows, width], 4) });
  const row = (i) => softmax(inputs().x.data.subarray(i * width, (i + 1) * width), 1, width);
  return {
    name: 'softmax',
    what: 'softmax of the rows of 1024x1024',
    kind: 'op',
    sizes: { rows, width },
    flops: 5 * rows * width,
    bytes: 8 * rows * width,
    inputs,
    check: checkRows(rows, width, row),
  };
}

function layerNormItem() {
  const [rows, width, eps] = [1024, 768, 1e-5];
  const inputs = () => ({
    x: tensor('layernorm.x', [rows, width]),
    gain: tensor('layernorm.gain', [width]),
    bias: tensor('layernorm.bias', [width]),
  });
  const row = (i) => {
    const { x, gain, bias } = inputs();
    return layerNorm(x.data.subarray(i * width, (i + 1) * width), gain.data, bias.data, 1, width, eps).y;
  };
  return {
    name: 'layernorm',
    what: 'layer norm with gain and bias of the rows of 1024x768, eps 1e-5',
    kind: 'op',
    sizes: { rows, width, eps },
    flops: 8 * rows * width,
    bytes: 8 * rows * width,
    inputs,
    check: checkRows(rows, width, row),
  };
}

function attentionItem() {
  const [heads, time, width] = [8, 256, 64];
  const shape = [1, heads, time, width];
  const inputs = () => ({
    q: tensor('attn.q', shape, 2),
    k: tensor('attn.k', shape, 2),
    v: tensor('attn.v', shape, 2),
  });
  const head = (index) => {
    const [q, k, v] = Object.values(inputs()).map(({ data }) =>
      data.subarray(index * time * width, (index + 1) * time * width),
    );
    return attention(q, k, v, time, width).y;
  };
  return {
    name: 'attn',
    what: 'causal attention forward, B1 H8 T256 D64, scale 1/8, any way the contestant likes',
    kind: 'op',
    sizes: { heads, time, width },
    flops: 4 * heads * time * time * width,
    inputs,
    check: checkRows(heads, time * width, head),
  };
}

function gptFlops() {
  const { layers, width, hidden, sequence, batch, vocabulary } = GPT;
  const perToken = layers * (4 * width * width + 2 * width * hidden) + width * vocabulary;
  return 2 * batch * sequence * perToken + layers * batch * 4 * sequence * sequence * width;
}

function gptForwardItem() {
  const { batch, sequence, vocabulary } = GPT;
  const { indices, values } = expected.gptfwd;
  const check = (result) =>
    result.length === batch * sequence * vocabulary
      ? { error: relativeError(result, (i) => indices[i], values), limit: 1e-5 }
      : { error: Infinity, limit: 0 };
  return {
    name: 'gptfwd',
    what: '2-layer GPT, logits of all positions',
    kind: 'op',
    sizes: GPT,
    flops: gptFlops(),
    inputs: gptInputs,
    parameters: gptParameters,
    check,
  };
}

/** The error is the worse of the loss's relative error and a hundredth of the probes' in units of the learning rate. */
function trainingCheck({ steps }, lr) {
  return (result, step) => {
    const { loss, values } = steps[step];
    const lossError = Math.abs(result[0] / loss - 1);
    const probeErrors = values.map((value, i) => Math.abs(result[i + 1] - value) / lr);
    const error = Math.max(lossError, ...probeErrors.map((e) => e / 100));
    return { error: Number.isFinite(error) ? error : Infinity, limit: 1e-4 };
  };
}

function trainingItem(name, what, sizes, flops, inputs, parameters) {
  const { probes } = expected[name];
  return {
    name,
    what,
    kind: 'train',
    sizes,
    flops,
    inputs,
    parameters,
    probes,
    checkedSteps: Object.keys(expected[name].steps).map(Number),
    check: trainingCheck(expected[name], ADAM.lr),
  };
}

function mlpFlops() {
  const { batch, in: n, hidden, out } = MLP;
  return 2 * batch * (2 * n * hidden + 3 * hidden * out); // no gradient of the input
}

/** @type {Item[]} */
export const ITEMS = [
  product('mm256', 'matrix product 256x256x256', 256, 256, 256),
  product('mm512', 'matrix product 512x512x512', 512, 512, 512),
  product('mm1024', 'matrix product 1024x1024x1024', 1024, 1024, 1024),
  product('matvec', 'row vector 1x1024 times 1024x4096', 1, 1024, 4096),
  softmaxItem(),
  layerNormItem(),
  attentionItem(),
  trainingItem(
    'mlp',
    'MLP 512-1024-512, batch 256: training step with Adam',
    MLP,
    mlpFlops(),
    mlpInputs,
    mlpParameters,
  ),
  gptForwardItem(),
  trainingItem('gpt', '2-layer GPT: training step with Adam', GPT, 3 * gptFlops(), gptInputs, gptParameters),
];

/**
 * What `result()` of a training session returns: the loss of the last step, then the probed parameters.
 * @param {Item} item
 * @param {number} loss
 * @param {(name: string) => Promise<ArrayLike<number>>} readParameter
 */
export async function trainingResult(item, loss, readParameter) {
  const values = new Map();
  for (const { name } of item.probes) if (!values.has(name)) values.set(name, await readParameter(name));
  return Float32Array.from([loss, ...item.probes.map(({ name, index }) => values.get(name)[index])]);
}
