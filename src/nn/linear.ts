/** A linear layer, optionally with a low-rank adapter beside it. */
import { add, affine, linear } from '../autograd/index.js';
import { scope, type Tensor } from '../tensor/index.js';

/** A low-rank adapter: adds `scale * B A dropout(x)`. */
export interface LowRank {
  /** [rank, in]. */
  readonly a: Tensor;
  /** [out, rank]. */
  readonly b: Tensor;
  readonly scale: number;
  /** Dropout on the adapter's input; the identity outside of training. */
  drop(x: Tensor): Tensor;
}

/** `x W^T + bias`, with W [out, in]. */
export class Linear {
  /** Where it is in the model, such as `model.layers.0.mlp.up_proj`. */
  readonly path: string;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** The adapter that is trained or used instead of changing the weight. */
  adapter: LowRank | null = null;

  /** Uses weights that belong to the model's parameters. */
  constructor(path: string, weight: Tensor, bias: Tensor | null) {
    this.path = path;
    this.weight = weight;
    this.bias = bias;
  }

  /** Width of the input. */
  get inputs(): number {
    return this.weight.shape[1];
  }

  /** Width of the output. */
  get outputs(): number {
    return this.weight.shape[0];
  }

  /** Applies the layer to x [..., in]. */
  forward(x: Tensor): Tensor {
    const { adapter } = this;
    const base = () => linear(x, this.weight, this.bias ?? undefined);
    if (!adapter) return base();
    const { a, b, scale } = adapter;
    // A scope of its own: the terms of the sum are as large as the sum and must not wait for the layer's end.
    return scope(() => {
      const narrow = linear(adapter.drop(x), a);
      // The factor goes to the narrow side, where it costs next to nothing.
      return add(base(), linear(affine(narrow, scale), b));
    });
  }
}
