/** The weights of a model by name, and which of them train. */
import { OslerError } from '../gpu/index.js';
import type { Tensor } from '../tensor/index.js';

/** Named weights. Iteration follows the order of insertion. */
export class Parameters {
  readonly #tensors = new Map<string, Tensor>();

  /** Takes over a tensor; it lives until `dispose`. */
  set(name: string, tensor: Tensor): void {
    this.#tensors.get(name)?.dispose();
    this.#tensors.set(name, tensor.keep());
  }

  /** The weight of a name that must exist. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new OslerError('value', `the model has no parameter "${name}"`);
    return tensor;
  }

  /** The weight of a name, if there is one. */
  find(name: string): Tensor | undefined {
    return this.#tensors.get(name);
  }

  /** Name and tensor of every weight. */
  entries(): IterableIterator<[string, Tensor]> {
    return this.#tensors.entries();
  }

  /** Name and tensor of the weights that train. */
  trainable(): [string, Tensor][] {
    return [...this.#tensors].filter(([, tensor]) => tensor.requiresGrad);
  }

  /** Decides by name which weights train; the gradients of those that no longer do are freed. */
  train(select: (name: string) => boolean): void {
    for (const [name, tensor] of this.#tensors) {
      tensor.requireGrad(select(name));
      if (!tensor.requiresGrad) clearGradient(tensor);
    }
  }

  /** Frees all gradients. */
  clearGradients(): void {
    for (const tensor of this.#tensors.values()) clearGradient(tensor);
  }

  /** Removes and frees one weight. */
  delete(name: string): void {
    this.#tensors.get(name)?.dispose();
    this.#tensors.delete(name);
  }

  /** Frees everything. */
  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}

function clearGradient(tensor: Tensor): void {
  tensor.grad?.dispose();
  tensor.grad = null;
}
