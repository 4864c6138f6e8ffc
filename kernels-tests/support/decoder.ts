/** A small pre-norm decoder out of public ops, in the shape of the models that the engine trains: GQA, SwiGLU. */
import {
  add,
  attention,
  backward,
  checkpoint,
  crossEntropy,
  embedding,
  linear,
  reshape,
  rmsNorm,
  swiglu,
} from '../../src/autograd/index.js';
import type { Gpu } from '../../src/gpu/index.js';
import type { Segments } from '../../src/kernels/attention.js';
import { type AdamWTensors, adamw } from '../../src/kernels/optimizer.js';
import { scope, type Tensor, tensor, zeros } from '../../src/tensor/index.js';
import { random } from './compare.js';

/** Sizes of a {@link Decoder}. */
export interface DecoderSizes {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly vocab: number;
}

/** Parameters, AdamW state and the training step. */
export class Decoder {
  readonly sizes: DecoderSizes;
  readonly parameters = new Map<string, Tensor>();
  readonly #state: Omit<AdamWTensors, 'grad'>[];
  #step = 0;

  constructor(gpu: Gpu, sizes: DecoderSizes) {
    this.sizes = sizes;
    const { layers, width, heads, kvHeads, hidden, vocab } = sizes;
    const kv = (width / heads) * kvHeads;
    const make = (name: string, shape: number[], scale: number, shift = 0) => {
      const values = random(shape[0] * (shape[1] ?? 1), this.parameters.size + 1).map(
        (v) => v * scale + shift,
      );
      this.parameters.set(name, tensor(gpu, values, shape, { purpose: 'weights' }).requireGrad());
    };
    make('embed', [vocab, width], 0.5);
    for (let i = 0; i < layers; i++) {
      make(`${i}.norm1`, [width], 0.1, 1);
      make(`${i}.q`, [width, width], width ** -0.5);
      make(`${i}.k`, [kv, width], width ** -0.5);
      make(`${i}.v`, [kv, width], width ** -0.5);
      make(`${i}.o`, [width, width], width ** -0.5);
      make(`${i}.norm2`, [width], 0.1, 1);
      make(`${i}.gate`, [hidden, width], width ** -0.5);
      make(`${i}.up`, [hidden, width], width ** -0.5);
      make(`${i}.down`, [width, hidden], hidden ** -0.5);
    }
    make('norm', [width], 0.1, 1);
    make('head', [vocab, width], width ** -0.5);
    this.#state = [...this.parameters.values()].map((param) => ({
      param,
      m: zeros(gpu, param.shape, { purpose: 'optimizer' }),
      v: zeros(gpu, param.shape, { purpose: 'optimizer' }),
    }));
  }

  #get(name: string): Tensor {
    return this.parameters.get(name) as Tensor;
  }

  #block(i: number, segments: Segments, x: Tensor): Tensor {
    const { width, heads } = this.sizes;
    const w = (name: string) => this.#get(`${i}.${name}`);
    const split = (t: Tensor) => reshape(t, [t.shape[0], -1, width / heads]);
    const h = rmsNorm(x, w('norm1'), 1e-6);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => split(linear(h, w(name))));
    const mixed = reshape(attention(q, k, v, segments, { causal: true }), x.shape);
    const middle = add(x, linear(mixed, w('o')));
    const n = rmsNorm(middle, w('norm2'), 1e-6);
    return add(middle, linear(swiglu(linear(n, w('gate')), linear(n, w('up'))), w('down')));
  }

  /** Mean cross-entropy of the next tokens. */
  loss(tokens: Tensor, targets: Tensor, segments: Segments, checkpointing = false): Tensor {
    let x = embedding(this.#get('embed'), tokens);
    for (let i = 0; i < this.sizes.layers; i++) {
      const block = (input: Tensor) => scope(() => this.#block(i, segments, input));
      x = checkpointing ? checkpoint(block, x) : block(x);
    }
    return crossEntropy(rmsNorm(x, this.#get('norm'), 1e-6), this.#get('head'), targets);
  }

  /** Forward, backward and AdamW on every parameter; returns the loss. */
  step(tokens: Tensor, targets: Tensor, segments: Segments, checkpointing = false): Tensor {
    const loss = scope(() => {
      const value = this.loss(tokens, targets, segments, checkpointing);
      backward(value);
      return value;
    });
    const tensors = this.#state.map((s) => ({ ...s, grad: s.param.grad as Tensor }));
    adamw(tensors, { step: ++this.#step, lr: 1e-3, weightDecay: 0.01 });
    for (const { param } of this.#state) {
      param.grad?.dispose();
      param.grad = null;
    }
    return loss;
  }

  /** Frees everything. */
  dispose(): void {
    for (const { param, m, v } of this.#state) for (const t of [param, m, v]) t.dispose();
  }
}
