// jax-js on its WebGPU or WASM device. Everything is jitted, as its documentation advises.
import { ADAM, GPT, MLP } from "./models.mjs";
import { trainingResult } from "./items.mjs";

/**
 * @param {"webgpu" | "wasm"} device
 * @returns {import("./harness.mjs").Contestant}
 */
export function jax(device) {
  /** @type {typeof import("@jax-js/jax")} */
  let lib;
  let np;

  const upload = ({ shape, data }) => np.array(data, { shape, device });
  const uploadAll = (tensors) => Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, upload(t)]));
  /** jax-js frees an array at its last use; `ref` keeps one for later. */
  const keep = (tree) => lib.tree.ref(tree);

  /** jax-js is lazy: what is dropped before it was awaited never runs, so all outputs of a burst are kept until then. */
  function opSession(compute, inputs, hostResult = (data) => data) {
    const jitted = lib.jit(compute);
    let outputs = [];
    return {
      run() {
        outputs.push(jitted(keep(inputs)));
      },
      async wait() {
        await lib.blockUntilReady(outputs);
        lib.tree.dispose(outputs.slice(0, -1));
        outputs = outputs.slice(-1);
      },
      result: async () => hostResult(await outputs[0].ref.data()),
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

  function attentionBlock(p, name, x) {
    const { heads, width, sequence, batch } = GPT;
    const split = (part) => linear(p, `${name}.${part}`, x.ref).reshape([batch, sequence, heads, width / heads]);
    const [q, k, v] = ["q", "k", "v"].map(split);
    x.dispose();
    const mixed = lib.nn.dotProductAttention(q, k, v, { isCausal: true });
    return linear(p, `${name}.o`, mixed.reshape([batch, sequence, width]));
  }

  /** Token ids come as one-hot rows: the gradient of an indexed embedding fails under jit. */
  function gptLogits(p, oneHot) {
    let x = np.matmul(oneHot, p.wte.ref).add(p.wpe.ref);
    for (let i = 0; i < GPT.layers; i++) {
      x = x.ref.add(attentionBlock(p, `h${i}`, norm(p, `h${i}.ln1`, x)));
      const active = lib.nn.gelu(linear(p, `h${i}.up`, norm(p, `h${i}.ln2`, x.ref)), { approximate: true });
      x = x.add(linear(p, `h${i}.down`, active));
    }
    const logits = np.matmul(norm(p, "lnf", x), p["head.w"].ref);
    lib.tree.dispose(p);
    return logits;
  }

  function gptLoss(p, { tokens, targets }) {
    const logProbabilities = lib.nn.logSoftmax(gptLogits(p, tokens), -1);
    return logProbabilities.mul(targets).sum().mul(-1 / (GPT.batch * GPT.sequence));
  }

  function mlpLoss(p, { x, target }) {
    const active = lib.nn.relu(np.matmul(x, p.w1).add(p.b1));
    const difference = np.matmul(active, p.w2).add(p.b2).sub(target);
    return np.square(difference).sum().mul(1 / (MLP.batch * MLP.out));
  }

  /** The ids as one-hot rows [batch, sequence, vocabulary]. */
  function oneHot({ shape, data }) {
    const rows = new Float32Array(data.length * GPT.vocabulary);
    data.forEach((id, i) => { rows[i * GPT.vocabulary + id] = 1; });
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
    const zeros = () => Object.fromEntries(names.map((name) => [name, np.zeros(starts[name].shape, { device })]));
    let state = { p: uploadAll(starts), m: zeros(), v: zeros() };
    let value;
    let step = 0;
    return {
      run() {
        step++;
        const scale = (beta) => np.array([1 / (1 - beta ** step)], { device });
        value?.dispose();
        ({ state, value } = jitted(state, { m: scale(beta1), v: scale(beta2) }, keep(inputs)));
      },
      async wait() {
        await lib.blockUntilReady([state, value]);
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

  /** jax-js wants [batch, time, heads, width]; its inputs are laid out so before the timing. */
  async function attention(item) {
    const { heads, time, width } = item.sizes;
    const toJax = ({ data }) => upload({ shape: [1, time, heads, width], data: swapAxes(data, heads, time, width) });
    const { q, k, v } = item.inputs();
    return opSession(
      (inputs) => lib.nn.dotProductAttention(inputs.q, inputs.k, inputs.v, { isCausal: true }),
      { q: toJax(q), k: toJax(k), v: toJax(v) },
      (data) => swapAxes(data, time, heads, width),
    );
  }

  const idsAsRows = (item) => {
    const { tokens, targets } = item.inputs();
    return { tokens: upload(oneHot(tokens)), targets: upload(oneHot(targets)) };
  };

  async function gptForward(item) {
    const inputs = { p: uploadAll(Object.fromEntries(item.parameters())), tokens: upload(oneHot(item.inputs().tokens)) };
    return opSession(({ p, tokens }) => gptLogits(p, tokens), inputs);
  }

  return {
    name: `jax-${device}`,
    kind: device,
    peer: true,
    async setup() {
      addIteratorHelpers();
      lib = await import("@jax-js/jax");
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
      attn: attention,
      mlp: async (item) => trainingSession(item, mlpLoss, uploadAll(item.inputs())),
      gptfwd: gptForward,
      gpt: async (item) => trainingSession(item, gptLoss, idsAsRows(item)),
    },
    teardown() {},
  };
}

/** jax-js uses iterator helpers, which Node has only since version 22; its uses are content with an array's. */
function addIteratorHelpers() {
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  const map = function (transform) {
    return Array.from(this, transform);
  };
  if (!iterators.map) Object.defineProperty(iterators, "map", { value: map, configurable: true, writable: true });
}

/** [a, b, width] to [b, a, width]. */
function swapAxes(data, a, b, width) {
  const swapped = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      swapped.set(data.subarray((i * b + j) * width, (i * b + j + 1) * width), (j * a + i) * width);
    }
  }
  return swapped;
}
