// Osler itself, through its public API and with its defaults: what a user would write.
import { readFileSync } from 'node:fs';
import {
  add,
  attention,
  backward,
  crossEntropy,
  embedding,
  geluTanh,
  layerNorm,
  linear,
  matmul,
  mean,
  mul,
  noGrad,
  relu,
  reshape,
  softmax,
  sub,
} from '../../dist/autograd/index.js';
import { Gpu } from '../../dist/gpu/index.js';
import { Segments } from '../../dist/kernels/attention.js';
import { adamw } from '../../dist/kernels/optimizer.js';
import { tunerFor } from '../../dist/kernels/tuner.js';
import { fromHost, scope, zeros } from '../../dist/tensor/index.js';
import { trainingResult } from './items.mjs';
import { ADAM, GPT } from './models.mjs';

const shader = (path) => readFileSync(new URL(`../../shaders/${path}`, import.meta.url), 'utf8');

/** Linear weights are [out, in] in Osler, as in PyTorch, and [in, out] in models.mjs. */
const isLinearWeight = (name) => /(^w\d|\.w)$/.test(name);

function transposed({ shape: [rows, columns], data }) {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return { shape: [columns, rows], data: out };
}

/** [1, heads, time, width] to [time, heads, width], and back. */
function swapHeads(data, outer, inner, width) {
  const out = new Float32Array(data.length);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++)
      out.set(data.subarray((o * inner + i) * width, (o * inner + i + 1) * width), (i * outer + o) * width);
  return out;
}

/** @returns {import("./harness.mjs").Contestant} */
export function osler() {
  /** @type {Gpu} */
  let gpu;

  const upload = ({ shape, data }, purpose) =>
    fromHost(gpu, data, shape, data instanceof Int32Array ? 'i32' : 'f32', purpose);
  const uploadAll = (tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, upload(t)]));

  /** Runs once, so that the tuner sees the shapes, then lets it choose variants before anything is timed. */
  async function tuned(session) {
    session.run();
    await session.wait();
    await tunerFor(gpu).tune();
    return session;
  }

  function opSession(compute, inputs, dispose, result = (output) => output.data()) {
    let output = null;
    return tuned({
      run() {
        output?.dispose();
        output = scope(() => noGrad(() => compute(inputs)));
      },
      wait: () => gpu.sync(),
      result: async () => result(output),
      dispose() {
        output?.dispose();
        dispose?.();
        for (const t of Object.values(inputs)) t.dispose();
      },
    });
  }

  const op = (compute) => (item) => opSession(compute, uploadAll(item.inputs()));

  function attentionSession(item) {
    const { heads, time, width } = item.sizes;
    const inputs = Object.fromEntries(
      Object.entries(item.inputs()).map(([name, { data }]) => [
        name,
        upload({ shape: [time, heads, width], data: swapHeads(data, heads, time, width) }),
      ]),
    );
    const segments = Segments.fromLengths(gpu, [time]);
    return opSession(
      ({ q, k, v }) => attention(q, k, v, segments, { causal: true }),
      inputs,
      () => segments.dispose(),
      async (output) => swapHeads(await output.data(), time, heads, width),
    );
  }

  function mlpLoss(p, { x, target }) {
    const active = relu(linear(x, p.w1, p.b1));
    const difference = sub(linear(active, p.w2, p.b2), target);
    return mean(mul(difference, difference));
  }

  function gptBlock(p, name, x, segments) {
    const { heads, width, eps } = GPT;
    const project = (part, h) => linear(h, p[`${name}.${part}.w`], p[`${name}.${part}.b`]);
    const normal = (part, h) => layerNorm(h, p[`${name}.${part}.g`], p[`${name}.${part}.b`], eps);
    const h = normal('ln1', x);
    const [q, k, v] = ['q', 'k', 'v'].map((part) => reshape(project(part, h), [-1, heads, width / heads]));
    const mixed = reshape(attention(q, k, v, segments, { causal: true }), [-1, width]);
    const middle = add(x, project('o', mixed));
    const active = geluTanh(project('up', normal('ln2', middle)));
    return add(middle, project('down', active));
  }

  function gptHidden(p, tokens, segments) {
    const { batch, sequence, width, layers, eps } = GPT;
    const embedded = reshape(embedding(p.wte, tokens), [batch, sequence, width]);
    let x = reshape(add(embedded, p.wpe), [batch * sequence, width]);
    for (let i = 0; i < layers; i++) x = gptBlock(p, `h${i}`, x, segments);
    return layerNorm(x, p['lnf.g'], p['lnf.b'], eps);
  }

  const gptSegments = () => Segments.fromLengths(gpu, new Array(GPT.batch).fill(GPT.sequence));
  const flat = ({ data }) => upload({ shape: [data.length], data });

  function parameters(item) {
    const p = {};
    for (const [name, t] of item.parameters())
      p[name] = upload(isLinearWeight(name) ? transposed(t) : t, 'weights').requireGrad();
    return p;
  }

  /** One training step per `run`: forward, backward, Adam on every parameter. */
  function trainingSession(item, p, lossOf, dispose) {
    const state = Object.values(p).map((param) => ({
      param,
      m: zeros(gpu, param.shape, { purpose: 'optimizer' }),
      v: zeros(gpu, param.shape, { purpose: 'optimizer' }),
    }));
    let loss = null;
    let step = 0;
    return {
      run() {
        loss?.dispose();
        loss = scope(() => {
          const value = lossOf();
          backward(value);
          return value;
        });
        step++;
        adamw(
          state.map((s) => ({ ...s, grad: s.param.grad })),
          { step, lr: ADAM.lr, beta1: ADAM.beta1, beta2: ADAM.beta2, eps: ADAM.eps, weightDecay: 0 },
        );
        for (const { param } of state) {
          param.grad.dispose();
          param.grad = null;
        }
      },
      wait: () => gpu.sync(),
      result: async () =>
        trainingResult(item, await loss.item(), async (name) => {
          const { shape } = p[name];
          const data = await p[name].data();
          return isLinearWeight(name) ? transposed({ shape, data }).data : data;
        }),
      dispose() {
        loss?.dispose();
        dispose();
        for (const { param, m, v } of state) for (const t of [param, m, v]) t.dispose();
      },
    };
  }

  /** The tuner must not cost a training step: it looks at a session of its own. */
  async function training(open) {
    const probe = await tuned(open());
    probe.dispose();
    return open();
  }

  function openMlp(item) {
    const p = parameters(item);
    const inputs = uploadAll(item.inputs());
    return trainingSession(
      item,
      p,
      () => mlpLoss(p, inputs),
      () => Object.values(inputs).forEach((t) => void t.dispose()),
    );
  }

  function openGpt(item) {
    const p = parameters(item);
    const { tokens, targets } = item.inputs();
    const inputs = [flat(tokens), flat(targets)];
    const segments = gptSegments();
    return trainingSession(
      item,
      p,
      () => crossEntropy(gptHidden(p, inputs[0], segments), p['head.w'], inputs[1]),
      () => [...inputs, segments].forEach((t) => void t.dispose()),
    );
  }

  function gptForward(item) {
    const p = parameters(item);
    const segments = gptSegments();
    const compute = ({ tokens, ...rest }) => linear(gptHidden(rest, tokens, segments), rest['head.w']);
    return opSession(compute, { ...p, tokens: flat(item.inputs().tokens) }, () => segments.dispose());
  }

  const product = op(({ a, b }) => matmul(a, b));

  return {
    name: 'osler',
    kind: 'webgpu',
    peer: false,
    async setup(context) {
      gpu = await Gpu.open({ gpu: context.gpu, shaders: shader });
    },
    items: {
      mm256: product,
      mm512: product,
      mm1024: product,
      matvec: product,
      softmax: op(({ x }) => softmax(x)),
      layernorm: op(({ x, gain, bias }) => layerNorm(x, gain, bias, 1e-5)),
      attn: attentionSession,
      mlp: (item) => training(() => openMlp(item)),
      gptfwd: gptForward,
      gpt: (item) => training(() => openGpt(item)),
    },
    teardown: () => gpu.destroy(),
  };
}
