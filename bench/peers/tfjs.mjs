// TensorFlow.js on its WebGPU or WASM backend. Eager: each operation is queued as it is called.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { trainingResult } from './items.mjs';
import { ADAM, GPT } from './models.mjs';

const require = createRequire(import.meta.url);

/**
 * @param {"webgpu" | "wasm"} backend
 * @returns {import("./harness.mjs").Contestant}
 */
export function tfjs(backend) {
  /** @type {typeof import("@tensorflow/tfjs")} */
  let tf;

  const upload = ({ shape, data }) =>
    tf.tensor(data, shape, data instanceof Int32Array ? 'int32' : 'float32');
  const uploadAll = (tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, upload(t)]));

  /** All queued work is done; WASM computes at once. */
  async function wait() {
    if (backend !== 'webgpu') return;
    const webgpu = tf.backend();
    if (webgpu.commandEncoder) {
      webgpu.endComputePassEncoder();
      webgpu.submitQueue();
    }
    await webgpu.queue.onSubmittedWorkDone();
  }

  function opSession(compute, inputs) {
    let output;
    return {
      run() {
        output?.dispose();
        output = tf.tidy(() => compute(inputs));
      },
      wait,
      result: () => output.data(),
      dispose: () => tf.dispose([output, inputs]),
    };
  }

  const op = (compute) => async (item) => opSession(compute, uploadAll(item.inputs()));

  function layerNorm(x, gain, bias, eps) {
    const { mean, variance } = tf.moments(x, -1, true);
    return x
      .sub(mean)
      .mul(tf.rsqrt(variance.add(eps)))
      .mul(gain)
      .add(bias);
  }

  /** q, k, v [batch, heads, time, width]; `mask` [time, time] is 0 or -1e9. */
  function attention(q, k, v, mask) {
    const scores = tf
      .matMul(q, k, false, true)
      .mul(1 / Math.sqrt(q.shape[3]))
      .add(mask);
    return tf.matMul(tf.softmax(scores), v);
  }

  function causalMask(time) {
    const values = Float32Array.from({ length: time * time }, (_, i) =>
      i % time > Math.floor(i / time) ? -1e9 : 0,
    );
    return upload({ shape: [time, time], data: values });
  }

  const gelu = (x) => {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(0.5).mul(tf.tanh(inner).add(1));
  };

  /** `p` has every weight by name; `ids` [batch, sequence]. */
  function gptLogits(p, ids, mask) {
    const { layers, heads, width, sequence, batch, eps } = GPT;
    const linear = (name, x) => tf.matMul(x, p[`${name}.w`]).add(p[`${name}.b`]);
    const norm = (name, x) => layerNorm(x, p[`${name}.g`], p[`${name}.b`], eps);
    const split = (x) => x.reshape([batch, sequence, heads, width / heads]).transpose([0, 2, 1, 3]);
    const rows = [batch * sequence, width];
    let x = tf.gather(p.wte, ids).add(p.wpe).reshape(rows);
    for (let i = 0; i < layers; i++) {
      const normal = norm(`h${i}.ln1`, x);
      const [q, k, v] = ['q', 'k', 'v'].map((part) => split(linear(`h${i}.${part}`, normal)));
      const mixed = attention(q, k, v, mask).transpose([0, 2, 1, 3]).reshape(rows);
      x = x.add(linear(`h${i}.o`, mixed));
      x = x.add(linear(`h${i}.down`, gelu(linear(`h${i}.up`, norm(`h${i}.ln2`, x)))));
    }
    return tf.matMul(norm('lnf', x), p['head.w']);
  }

  const oneHotRows = (ids) => tf.tidy(() => tf.oneHot(upload(ids).flatten(), GPT.vocabulary).toFloat());

  async function gptForward(item) {
    const { tokens } = item.inputs();
    const inputs = {
      p: uploadAll(Object.fromEntries(item.parameters())),
      ids: upload(tokens),
      mask: causalMask(GPT.sequence),
    };
    return opSession(({ p, ids, mask }) => gptLogits(p, ids, mask), inputs);
  }

  /** `lossOf(weights)` under tf's own Adam. */
  function trainingSession(item, inputs, lossOf) {
    const optimizer = tf.train.adam(ADAM.lr, ADAM.beta1, ADAM.beta2, ADAM.eps);
    const weights = {};
    for (const [name, start] of item.parameters()) weights[name] = tf.tidy(() => tf.variable(upload(start)));
    let loss;
    return {
      run() {
        loss?.dispose();
        loss = optimizer.minimize(() => lossOf(weights), true, Object.values(weights));
      },
      wait,
      result: async () => trainingResult(item, (await loss.data())[0], (name) => weights[name].data()),
      dispose() {
        optimizer.dispose();
        tf.dispose([loss, weights, inputs]);
      },
    };
  }

  async function gpt(item) {
    const { tokens, targets } = item.inputs();
    const inputs = { tokens: upload(tokens), targets: oneHotRows(targets), mask: causalMask(GPT.sequence) };
    return trainingSession(item, inputs, (p) =>
      tf.losses.softmaxCrossEntropy(inputs.targets, gptLogits(p, inputs.tokens, inputs.mask)),
    );
  }

  async function mlp(item) {
    const inputs = uploadAll(item.inputs());
    return trainingSession(item, inputs, ({ w1, b1, w2, b2 }) => {
      const y = tf.matMul(tf.relu(tf.matMul(inputs.x, w1).add(b1)), w2).add(b2);
      return y.sub(inputs.target).square().mean();
    });
  }

  const product = op(({ a, b }) => tf.matMul(a, b));
  const forward = {
    mm256: product,
    mm512: product,
    mm1024: product,
    matvec: product,
    softmax: op(({ x }) => tf.softmax(x)),
    layernorm: op(({ x, gain, bias }) => layerNorm(x, gain, bias, 1e-5)),
    attn: async (item) => {
      const inputs = { ...uploadAll(item.inputs()), mask: causalMask(item.sizes.time) };
      return opSession(({ q, k, v, mask }) => attention(q, k, v, mask), inputs);
    },
    gptfwd: gptForward,
  };

  return {
    name: `tfjs-${backend}`,
    kind: backend,
    peer: true,
    async setup() {
      tf = require('@tensorflow/tfjs');
      if (backend === 'webgpu') require('@tensorflow/tfjs-backend-webgpu');
      else {
        const wasm = require('@tensorflow/tfjs-backend-wasm');
        wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
      }
      if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no ${backend} backend here`);
    },
    async activate() {
      if (tf.getBackend() !== backend) await tf.setBackend(backend);
    },
    // On WASM its training steps take 5 times as long as jax-js', so they would only cost time.
    items: backend === 'webgpu' ? { ...forward, mlp, gpt } : forward,
    teardown() {},
  };
}
