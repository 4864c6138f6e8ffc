// jax-js on its WebGPU or WASM device. Everything is jitted, as its documentation advises.

import { trainingResult } from './items.mjs';
import { ADAM, GPT, MLP } from './models.mjs';

/**
 * @param {"webgpu" | "wasm"} device
 * @returns {import("./harness.mjs").Contestant}
 */
export function jax(device) {
  /** @type {typeof import("@jax-js/jax")} */
  let lib;
  let np;

  const upload = ({ shape, data }) => np.array(data, { shape, device });
  const uploadAll = (tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, upload(t)]));
  /** jax-js frees an array at its last use; `ref` keeps one for later. */
  const keep = (tree) => lib.tree.ref(tree);

  /** jax-js is lazy; asking for the buffer of one output queues the jitted call (all of it). WASM runs when awaited. */
  const queue = (array) => {
    if (device === 'webgpu') array.ref.gpuBufferSync();
  };

  /** What is dropped before it ran never runs, so all outputs of a burst are kept until they are awaited. */
  function opSession(compute, inputs) {
    const jitted = lib.jit(compute);
    let outputs = [];
    return {
      run() {
        const output = jitted(keep(inputs));
        queue(output);
        outputs.push(output);
      },
      async wait() {
        await lib.blockUntilReady(outputs);
        lib.tree.dispose(outputs.slice(0, -1));
        outputs = outputs.slice(-1);
      },
      result: () => outputs[0].ref.data(),
      dispose() {
        lib.tree.dispose([outputs, inputs]);
        jitted.dispose();
      },
    };
  }

  const op = (compute) => async (item) => opSession(compute, uploadAll(item.inputs()));

  const linear = (p, name, x) => np.matmul(x, p[`${name}.w`].ref).add(p[`${name}.b`].ref);

  function layerNorm(x, gain, bias, eps) {
    return lib.nn.standardize(x, -1, { epsilon: eps }).mul(gain).add(bias);
  }

  const norm = (p, name, x) => layerNorm(x, p[`${name}.g`].ref, p[`${name}.b`].ref, GPT.eps);

  /** Composed by hand: faster here than `nn.dotProductAttention`. q, k, v [batch, heads, time, width]. */
  function attention({ q, k, v }) {
    const [time, width] = q.shape.slice(2);
    const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(width ** -0.5);
    const mask = np
      .tril(np.ones([time, time]))
      .sub(1)
      .mul(1e9);
    return np.matmul(lib.nn.softmax(scores.add(mask), -1), v);
  }

  function attentionBlock(p, name, x) {
    const { heads, width, sequence, batch } = GPT;
    const split = (part) =>
      linear(p, `${name}.${part}`, x.ref)
        .reshape([batch, sequence, heads, width / heads])
        .transpose([0, 2, 1, 3]);
    const [q, k, v] = ['q', 'k', 'v'].map(split);
    x.dispose();
    const mixed = attention({ q, k, v }).transpose([0, 2, 1, 3]);
    return linear(p, `${name}.o`, mixed.reshape([batch, sequence, width]));
  }

  /** From the embedded tokens [batch, sequence, width]. */
  function gptLogits(p, embedded) {
    let x = embedded.add(p.wpe.ref);
    for (let i = 0; i < GPT.layers; i++) {
      x = x.ref.add(attentionBlock(p, `h${i}`, norm(p, `h${i}.ln1`, x)));
      const active = lib.nn.gelu(linear(p, `h${i}.up`, norm(p, `h${i}.ln2`, x.ref)), { approximate: true });
      x = x.add(linear(p, `h${i}.down`, active));
    }
    const logits = np.matmul(norm(p, 'lnf', x), p['head.w'].ref);
    lib.tree.dispose(p);
    return logits;
  }

  /** Ids come as one-hot rows: the gradient of an indexed embedding fails under jit. */
  function gptLoss(p, { tokens, targets }) {
    const logProbabilities = lib.nn.logSoftmax(gptLogits(p, np.matmul(tokens, p.wte.ref)), -1);
    return logProbabilities
      .mul(targets)
      .sum()
      .mul(-1 / (GPT.batch * GPT.sequence));
  }

  function mlpLoss(p, { x, target }) {
    const active = lib.nn.relu(np.matmul(x, p.w1).add(p.b1));
    const difference = np.matmul(active, p.w2).add(p.b2).sub(target);
    return np
      .square(difference)
      .sum()
      .mul(1 / (MLP.batch * MLP.out));
  }

  /** The ids as one-hot rows [batch, sequence, vocabulary]. */
  function oneHot({ shape, data }) {
    const rows = new Float32Array(data.length * GPT.vocabulary);
    data.forEach((id, i) => {
      rows[i * GPT.vocabulary + id] = 1;
    });
    return { shape: [...shape, GPT.vocabulary], data: rows };
  }

  /** One jitted function for loss, gradients and Adam; the state goes in and comes out. */
  function trainingSession(item, loss, inputs) {
    const { lr, beta1, beta2, eps } = ADAM;
    const names = [...item.parameters().keys()];
    const jitted = lib.jit(({ p, m, v }, scales, batch) => {
      const [value, gradients] = lib.valueAndGrad(loss)(keep(p), batch);
      const next = { p: {}, m: {}, v: {} };
      for (const name of names) {
        const g = gradients[name];
        next.m[name] = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
        next.v[name] = v[name].mul(beta2).add(np.square(g).mul(1 - beta2));
        const mean = next.m[name].ref.mul(scales.m.ref);
        const deviation = np.sqrt(next.v[name].ref.mul(scales.v.ref)).add(eps);
        next.p[name] = p[name].sub(mean.div(deviation).mul(lr));
      }
      lib.tree.dispose(scales);
      return { state: next, value };
    });
    const starts = Object.fromEntries(item.parameters());
    const zeros = () =>
      Object.fromEntries(names.map((name) => [name, np.zeros(starts[name].shape, { device })]));
    let state = { p: uploadAll(starts), m: zeros(), v: zeros() };
    let value;
    let step = 0;
    return {
      run() {
        step++;
        const scale = (beta) => np.array([1 / (1 - beta ** step)], { device });
        value?.dispose();
        ({ state, value } = jitted(state, { m: scale(beta1), v: scale(beta2) }, keep(inputs)));
        queue(value);
      },
      async wait() {
        await lib.blockUntilReady(value); // all outputs of a jitted call run together
      },
      async result() {
        const [loss] = await value.ref.data();
        return trainingResult(item, loss, (name) => state.p[name].ref.data());
      },
      dispose() {
        lib.tree.dispose([state, inputs, ...(value ? [value] : [])]);
        jitted.dispose();
      },
    };
  }

  const product = op(({ a, b }) => np.matmul(a, b));

  const idsAsRows = (item) => {
    const { tokens, targets } = item.inputs();
    return { tokens: upload(oneHot(tokens)), targets: upload(oneHot(targets)) };
  };

  async function gptForward(item) {
    const inputs = {
      p: uploadAll(Object.fromEntries(item.parameters())),
      tokens: upload(item.inputs().tokens),
    };
    return opSession(({ p, tokens }) => gptLogits(p, np.take(p.wte.ref, tokens, 0)), inputs);
  }

  return {
    name: `jax-${device}`,
    kind: device,
    peer: true,
    async setup() {
      lib = await import('@jax-js/jax');
      np = lib.numpy;
      const ready = await lib.init(device);
      if (!ready.includes(device)) throw new Error(`jax-js has no ${device} device here`);
    },
    activate() {
      lib.defaultDevice(device);
    },
    items: {
      mm256: product,
      mm512: product,
      mm1024: product,
      matvec: product,
      softmax: op(({ x }) => lib.nn.softmax(x, -1)),
      layernorm: op(({ x, gain, bias }) => layerNorm(x, gain, bias, 1e-5)),
      attn: op(attention),
      mlp: async (item) => trainingSession(item, mlpLoss, uploadAll(item.inputs())),
      gptfwd: gptForward,
      gpt: async (item) => trainingSession(item, gptLoss, idsAsRows(item)),
    },
    teardown() {},
  };
}
