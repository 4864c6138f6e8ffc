/** Norm layers with their weights. */
import { addLayerNorm, addRmsNorm, affine, layerNorm, rmsNorm } from '../autograd/index.js';
import type { Tensor } from '../tensor/index.js';

/** How a norm uses its weights. */
export interface NormOptions {
  readonly eps: number;
  /** The weight is stored as its distance from one. */
  readonly aroundOne?: boolean;
}

/** RMSNorm, or LayerNorm where there is a bias. */
export class Norm {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly options: NormOptions;

  /** Uses weights that belong to the model's parameters. */
  constructor(weight: Tensor, bias: Tensor | null, options: NormOptions) {
    this.weight = weight;
    this.bias = bias;
    this.options = options;
  }

  /** Normalises the last axis of x. */
  forward(x: Tensor): Tensor {
    const { eps } = this.options;
    return this.bias ? layerNorm(x, this.#scale(), this.bias, eps) : rmsNorm(x, this.#scale(), eps);
  }

  /** `h = x + residual; y = norm(h)`, both. */
  addForward(x: Tensor, residual: Tensor): { y: Tensor; h: Tensor } {
    const { eps } = this.options;
    return this.bias
      ? addLayerNorm(x, residual, this.#scale(), this.bias, eps)
      : addRmsNorm(x, residual, this.#scale(), eps);
  }

  #scale(): Tensor {
    return this.options.aroundOne ? affine(this.weight, 1, 1) : this.weight;
  }
}
