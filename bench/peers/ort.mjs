// onnxruntime-web on its WebGPU or WASM execution provider. Inference only. It brings its own kernels and makes its
// own device on the shared adapter.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GPT } from './models.mjs';
import { OnnxGraph } from './onnx.mjs';

/**
 * @param {"webgpu" | "wasm"} provider
 * @returns {import("./harness.mjs").Contestant}
 */
export function ort(provider) {
  /** @type {typeof import("onnxruntime-web")} */
  let lib;

  /** Inputs stay on the GPU; buffers must come from onnxruntime's own device. */
  function toTensor({ shape, data }) {
    const type = data instanceof Int32Array ? 'int32' : 'float32';
    if (provider === 'wasm') return new lib.Tensor(type, data, shape);
    const device = lib.env.webgpu.device;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const gpuBuffer = device.createBuffer({ size: data.byteLength, usage });
    device.queue.writeBuffer(gpuBuffer, 0, data);
    return lib.Tensor.fromGpuBuffer(gpuBuffer, {
      dataType: type,
      dims: shape,
      dispose: () => gpuBuffer.destroy(),
    });
  }

  /** `describe(graph)` adds nodes and returns the output's name and shape; `feeds` are host tensors by input name. */
  async function session(feeds, describe) {
    const graph = new OnnxGraph();
    for (const [name, tensor] of Object.entries(feeds)) graph.input(name, tensor);
    const [output, shape] = describe(graph);
    const onnx = await lib.InferenceSession.create(graph.build(output, shape), {
      executionProviders: [provider],
      ...(provider === 'webgpu' && { preferredOutputLocation: 'gpu-buffer' }),
    });
    // Its module sets this global for its threads (all started by now); jax-js would then compile for shared memory.
    delete globalThis.Worker;
    const tensors = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toTensor(t)]));
    let last;
    return {
      async run() {
        const results = await onnx.run(tensors); // resolves when queued, if the output stays on the GPU
        last?.dispose();
        last = results[output];
      },
      async wait() {
        if (provider === 'webgpu') await lib.env.webgpu.device.queue.onSubmittedWorkDone();
      },
      result: async () => Float32Array.from(await last.getData()),
      async dispose() {
        last?.dispose();
        for (const tensor of Object.values(tensors)) tensor.dispose();
        await onnx.release();
      },
    };
  }

  async function product(item) {
    const { m, n } = item.sizes;
    return session(item.inputs(), (graph) => [graph.node('MatMul', ['a', 'b']), [m, n]]);
  }

  async function softmax(item) {
    const { x } = item.inputs();
    return session({ x }, (graph) => [graph.node('Softmax', ['x'], { axis: -1 }), x.shape]);
  }

  async function layerNorm(item) {
    const { x, gain, bias } = item.inputs();
    return session({ x }, (graph) => {
      const weights = [graph.constant(gain), graph.constant(bias)];
      return [
        graph.node('LayerNormalization', ['x', ...weights], { axis: -1, epsilon: item.sizes.eps }),
        x.shape,
      ];
    });
  }

  /** Composed: the fused MultiHeadAttention gave wrong numbers on a software adapter. `kT` is [..., width, time]. */
  function composedAttention(graph, q, kT, v, time, width) {
    const masked = { shape: [time, time], data: new Float32Array(time * time) };
    for (let i = 0; i < time; i++) masked.data.fill(-1e9, i * time + i + 1, (i + 1) * time);
    const scale = graph.constant({ shape: [1], data: Float32Array.of(width ** -0.5) });
    const scores = graph.node('Mul', [graph.node('MatMul', [q, kT]), scale]);
    const weights = graph.node('Softmax', [graph.node('Add', [scores, graph.constant(masked)])], {
      axis: -1,
    });
    return graph.node('MatMul', [weights, v]);
  }

  async function attention(item) {
    const { q, k, v } = item.inputs();
    return session({ q, k, v }, (graph) => {
      const kT = graph.node('Transpose', ['k'], { perm: [0, 1, 3, 2] });
      return [composedAttention(graph, 'q', kT, 'v', item.sizes.time, item.sizes.width), q.shape];
    });
  }

  function gptGraph(graph, parameters) {
    const { layers, heads, width, sequence, batch, vocabulary, eps } = GPT;
    const weight = (name) => graph.constant(parameters.get(name));
    const add = (a, b) => graph.node('Add', [a, b]);
    const linear = (name, x) => add(graph.node('MatMul', [x, weight(`${name}.w`)]), weight(`${name}.b`));
    const norm = (name, x) =>
      graph.node('LayerNormalization', [x, weight(`${name}.g`), weight(`${name}.b`)], {
        axis: -1,
        epsilon: eps,
      });
    const split = (x, perm) =>
      graph.node('Transpose', [graph.reshape(x, [batch, sequence, heads, width / heads])], { perm });
    let x = add(graph.node('Gather', [weight('wte'), 'tokens']), weight('wpe'));
    for (let i = 0; i < layers; i++) {
      const normal = norm(`h${i}.ln1`, x);
      const q = split(linear(`h${i}.q`, normal), [0, 2, 1, 3]);
      const kT = split(linear(`h${i}.k`, normal), [0, 2, 3, 1]);
      const v = split(linear(`h${i}.v`, normal), [0, 2, 1, 3]);
      const perHead = composedAttention(graph, q, kT, v, sequence, width / heads);
      const mixed = graph.reshape(graph.node('Transpose', [perHead], { perm: [0, 2, 1, 3] }), [
        batch,
        sequence,
        width,
      ]);
      x = add(x, linear(`h${i}.o`, mixed));
      const up = linear(`h${i}.up`, norm(`h${i}.ln2`, x));
      x = add(x, linear(`h${i}.down`, graph.node('FastGelu', [up], {}, 'com.microsoft')));
    }
    return [graph.node('MatMul', [norm('lnf', x), weight('head.w')]), [batch, sequence, vocabulary]];
  }

  return {
    name: `ort-${provider}`,
    kind: provider,
    peer: true,
    async setup() {
      const resolve = createRequire(import.meta.url).resolve;
      const dist = dirname(resolve('onnxruntime-web'));
      if (provider === 'webgpu') {
        // Its Node entry has no WebGPU; the browser bundle has, but cannot find its own .wasm file here.
        acceptSharedMemory();
        lib = await import(pathToFileURL(join(dist, 'ort.webgpu.bundle.min.mjs')));
        lib.env.wasm.wasmBinary = readFileSync(join(dist, 'ort-wasm-simd-threaded.asyncify.wasm'));
        lib.env.wasm.numThreads = 1;
      } else {
        lib = await import('onnxruntime-web');
        lib.env.wasm.numThreads = Math.min(8, availableParallelism());
      }
      lib.env.logLevel = 'error';
    },
    items: {
      mm256: product,
      mm512: product,
      mm1024: product,
      matvec: product,
      softmax,
      layernorm: layerNorm,
      attn: attention,
      gptfwd: async (item) =>
        session({ tokens: item.inputs().tokens }, (graph) => gptGraph(graph, item.parameters())),
    },
    teardown() {},
  };
}

/** onnxruntime hands views of shared memory to writeBuffer, which dawn.node refuses: copy those. */
function acceptSharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, start, size) {
    const memory = data.buffer ?? data;
    if (!(memory instanceof SharedArrayBuffer))
      return writeBuffer.call(this, buffer, offset, data, start, size);
    const unit = data.BYTES_PER_ELEMENT ?? 1;
    const first = (data.byteOffset ?? 0) + (start ?? 0) * unit;
    const length = size === undefined ? data.byteLength - (start ?? 0) * unit : size * unit;
    return writeBuffer.call(this, buffer, offset, new Uint8Array(memory, first, length).slice());
  };
}
