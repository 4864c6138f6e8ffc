/** Norm layers with their weights. */
import { addLayerNorm, addRmsNorm, layerNorm, rmsNorm } from '../autograd/index.js';
import type { Tensor } from '../tensor/index.js';

/** How a norm uses its weights. */
export interface NormOptions {
  readonly eps: number;
  /** The weight is stored as its distance from one, in an RMSNorm. */
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
    const { weight, bias, options } = this;
    return bias ? layerNorm(x, weight, bias, options.eps) : rmsNorm(x, weight, options.eps, options);
  }

  /** `h = x + residual; y = norm(h)`, both. */
  addForward(x: Tensor, residual: Tensor): { y: Tensor; h: Tensor } {
    const { weight, bias, options } = this;
    return bias
      ? addLayerNorm(x, residual, weight, bias, options.eps)
      : addRmsNorm(x, residual, weight, options.eps, options);
  }
}
