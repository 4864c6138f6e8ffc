/** Gradients of a lane apart from the weights, to be added to those of other lanes. */
import { axpy } from '../kernels/elementwise.js';
import type { Tensor } from '../tensor/index.js';

/** Gradients by the names of their weights, on the device. Dispose them. */
export type Gradients = ReadonlyMap<string, Tensor>;

/** Weights that train, by name. */
export type TrainedWeights = () => Iterable<readonly [string, Tensor]>;

/** Takes the gradients off the weights. */
export function takeGradients(weights: TrainedWeights): Gradients {
  const taken = new Map<string, Tensor>();
  for (const [name, tensor] of weights()) {
    if (tensor.grad) taken.set(name, tensor.grad);
    tensor.grad = null;
  }
  return taken;
}

/** Frees gradients. */
export function disposeGradients(gradients: Gradients): void {
  for (const tensor of gradients.values()) tensor.dispose();
}

/** Sums the gradients of lanes in the order in which they come. */
export class GradientSum {
  readonly #total = new Map<string, Tensor>();

  /** Adds those of a lane, which now belong to the sum. */
  add(lane: Gradients): void {
    for (const [name, gradient] of lane) {
      const total = this.#total.get(name);
      if (!total) {
        this.#total.set(name, gradient);
        continue;
      }
      axpy(total, gradient, 1);
      gradient.dispose();
    }
  }

  /** Makes the sum the gradients of the weights. */
  giveTo(weights: TrainedWeights): void {
    for (const [name, tensor] of weights()) {
      tensor.grad = this.#total.get(name) ?? null;
      this.#total.delete(name);
    }
  }

  /** Frees what was not given away. */
  dispose(): void {
    disposeGradients(this.#total);
    this.#total.clear();
  }
}
