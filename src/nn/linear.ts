/** A linear layer, optionally with a low-rank adapter beside it. */
import { adaptedLinear, dropout, linear } from '../autograd/index.js';
import { scope, type Tensor } from '../tensor/index.js';

/** Which dropout masks a pass uses: one set for each training step and micro-batch. */
export interface DropoutStep {
  readonly seed: number;
  readonly step: number;
}

/** A low-rank adapter: adds `scale * B A dropout(x)`. */
export interface LowRank {
  /** [rank, in]. */
  readonly a: Tensor;
  /** [out, rank]. */
  readonly b: Tensor;
  readonly scale: number;
  /** Probability of dropout on the adapter's input, in passes that have masks. */
  readonly dropout: number;
  /** Keeps the masks of layers apart. */
  readonly stream: number;
}

/** `x W^T + bias`, with W [out, in]. */
export class Linear {
  /** Where it is in the model, such as `model.layers.0.mlp.up_proj`. */
  readonly path: string;
  /** In any storage format; what trains is in a float one. */
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** Layers of one stack take the same input, and what they consist of lies together in memory. */
  readonly stack: string | null;
  /** The adapter that is trained or used instead of changing the weight. */
  adapter: LowRank | null = null;

  /** Uses weights that belong to the model's parameters. */
  constructor(path: string, weight: Tensor, bias: Tensor | null, stack: string | null = null) {
    this.path = path;
    this.weight = weight;
    this.bias = bias;
    this.stack = stack;
  }

  /** Width of the input. */
  get inputs(): number {
    return this.weight.shape[1];
  }

  /** Width of the output. */
  get outputs(): number {
    return this.weight.shape[0];
  }

  /**
   * Applies the layer to x [..., in].
   *
   * @param masks for the dropout of its adapter; without them, as in evaluation, nothing is dropped.
   * @param residual added to the output, in the same launch.
   */
  forward(x: Tensor, masks?: DropoutStep, residual?: Tensor): Tensor {
    const { weight, bias, adapter } = this;
    if (!adapter) return linear(x, weight, bias, { residual });
    const { a, b, scale, dropout: p, stream } = adapter;
    return scope(() => {
      const input = masks && p > 0 ? dropout(x, p, { ...masks, stream }) : x;
      return adaptedLinear(x, weight, bias, { a, b, scale, input }, { residual });
    });
  }
}
