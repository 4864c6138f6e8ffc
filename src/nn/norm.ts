/** Norm layers with their weights. */
import { addLayerNorm, addRmsNorm, layerNorm, rmsNorm } from '../autograd/index.js';
import type { Tensor } from '../tensor/index.js';

/** RMSNorm, or LayerNorm where there is a bias. */
export class Norm {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly eps: number;

  /** Uses weights that belong to the model's parameters. */
  constructor(weight: Tensor, bias: Tensor | null, eps: number) {
    this.weight = weight;
    this.bias = bias;
    this.eps = eps;
  }

  /** Normalises the rows of x. */
  forward(x: Tensor): Tensor {
    return this.bias ? layerNorm(x, this.weight, this.bias, this.eps) : rmsNorm(x, this.weight, this.eps);
  }

  /** `h = x + residual; y = norm(h)`, both. */
  addForward(x: Tensor, residual: Tensor): { y: Tensor; h: Tensor } {
    return this.bias
      ? addLayerNorm(x, residual, this.weight, this.bias, this.eps)
      : addRmsNorm(x, residual, this.weight, this.eps);
  }
}
