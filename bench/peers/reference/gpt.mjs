// float64 forward, loss and gradients of the GPT items.
import { GPT, gptInputs } from '../models.mjs';
import * as ops from './ops.mjs';

const { layers, width: d, heads, hidden, sequence: t, batch, vocabulary, eps } = GPT;
const rows = batch * t;
const headWidth = d / heads;

/** Copies head h of sequence b out of x[rows, d]. */
function takeHead(x, b, h) {
  const part = new Float64Array(t * headWidth);
  for (let i = 0; i < t; i++) {
    for (let j = 0; j < headWidth; j++) part[i * headWidth + j] = x[(b * t + i) * d + h * headWidth + j];
  }
  return part;
}

/** The inverse of takeHead. */
function putHead(x, part, b, h) {
  for (let i = 0; i < t; i++) {
    for (let j = 0; j < headWidth; j++) x[(b * t + i) * d + h * headWidth + j] = part[i * headWidth + j];
  }
}

function forEachHead(visit) {
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) visit(b, h, b * heads + h);
}

function block(x, get, name) {
  const project = (input, part, m, n) =>
    ops.linear(input, get(`${name}.${part}.w`), get(`${name}.${part}.b`), rows, m, n);
  const ln1 = ops.layerNorm(x, get(`${name}.ln1.g`), get(`${name}.ln1.b`), rows, d, eps);
  const [q, k, v] = ['q', 'k', 'v'].map((part) => project(ln1.y, part, d, d));
  const mixed = new Float64Array(rows * d);
  const weights = [];
  forEachHead((b, h, index) => {
    const head = ops.attention(takeHead(q, b, h), takeHead(k, b, h), takeHead(v, b, h), t, headWidth);
    weights[index] = head.weights;
    putHead(mixed, head.y, b, h);
  });
  const middle = ops.accumulate(project(mixed, 'o', d, d), x);
  const ln2 = ops.layerNorm(middle, get(`${name}.ln2.g`), get(`${name}.ln2.b`), rows, d, eps);
  const up = project(ln2.y, 'up', d, hidden);
  const active = ops.gelu(up);
  const y = ops.accumulate(project(active, 'down', hidden, d), middle);
  return { y, name, ln1, q, k, v, weights, mixed, ln2, up, active };
}

function blockBackward(dy, saved, get, gradients) {
  const { name, ln1, q, k, v, weights, mixed, ln2, up, active } = saved;
  const back = (grad, input, part, m, n) => {
    const { dx, dw, db } = ops.linearBackward(grad, input, get(`${name}.${part}.w`), rows, m, n);
    gradients.set(`${name}.${part}.w`, dw).set(`${name}.${part}.b`, db);
    return dx;
  };
  const backNorm = (grad, norm, part) => {
    const { dx, dg, db } = ops.layerNormBackward(grad, norm, get(`${name}.${part}.g`), rows, d);
    gradients.set(`${name}.${part}.g`, dg).set(`${name}.${part}.b`, db);
    return dx;
  };
  const dUp = ops.geluBackward(back(dy, active, 'down', hidden, d), up);
  const dMiddle = ops.accumulate(backNorm(back(dUp, ln2.y, 'up', d, hidden), ln2, 'ln2'), dy);
  const dMixed = back(dMiddle, mixed, 'o', d, d);
  const [dq, dk, dv] = [0, 1, 2].map(() => new Float64Array(rows * d));
  forEachHead((b, h, index) => {
    const [qh, kh, vh] = [q, k, v].map((x) => takeHead(x, b, h));
    const head = ops.attentionBackward(takeHead(dMixed, b, h), weights[index], qh, kh, vh, t, headWidth);
    putHead(dq, head.dq, b, h);
    putHead(dk, head.dk, b, h);
    putHead(dv, head.dv, b, h);
  });
  const dNorm = back(dq, ln1.y, 'q', d, d);
  ops.accumulate(dNorm, back(dk, ln1.y, 'k', d, d));
  ops.accumulate(dNorm, back(dv, ln1.y, 'v', d, d));
  return ops.accumulate(backNorm(dNorm, ln1, 'ln1'), dMiddle);
}

/** Logits [rows, vocabulary] and all that the backward needs. */
export function gptForward(weights) {
  const get = (name) => weights.get(name);
  const { tokens } = gptInputs();
  let x = new Float64Array(rows * d);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < d; j++)
      x[i * d + j] = get('wte')[tokens.data[i] * d + j] + get('wpe')[(i % t) * d + j];
  }
  const blocks = [];
  for (let i = 0; i < layers; i++) {
    blocks.push(block(x, get, `h${i}`));
    x = blocks[i].y;
  }
  const last = ops.layerNorm(x, get('lnf.g'), get('lnf.b'), rows, d, eps);
  return { logits: ops.matmul(last.y, get('head.w'), rows, d, vocabulary), last, blocks };
}

/** @param {Map<string, Float64Array>} weights */
export function gptLossAndGradients(weights) {
  const get = (name) => weights.get(name);
  const { tokens, targets } = gptInputs();
  const { logits, last, blocks } = gptForward(weights);
  const dLogits = ops.softmax(logits, rows, vocabulary);
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * vocabulary + targets.data[i];
    loss -= Math.log(dLogits[at]) / rows;
    dLogits[at] -= 1;
  }
  for (let i = 0; i < dLogits.length; i++) dLogits[i] /= rows;

  const gradients = new Map();
  const head = ops.linearBackward(dLogits, last.y, get('head.w'), rows, d, vocabulary);
  gradients.set('head.w', head.dw);
  const norm = ops.layerNormBackward(head.dx, last, get('lnf.g'), rows, d);
  gradients.set('lnf.g', norm.dg).set('lnf.b', norm.db);
  let dx = norm.dx;
  for (const saved of blocks.toReversed()) dx = blockBackward(dx, saved, get, gradients);
  const [wte, wpe] = [new Float64Array(vocabulary * d), new Float64Array(t * d)];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < d; j++) {
      wte[tokens.data[i] * d + j] += dx[i * d + j];
      wpe[(i % t) * d + j] += dx[i * d + j];
    }
  }
  gradients.set('wte', wte).set('wpe', wpe);
  return { loss, gradients };
}
