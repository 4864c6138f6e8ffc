/** Makes layers from named parameters, and remembers every linear layer by its path. */
import { Linear } from '../../nn/linear.js';
import { Norm } from '../../nn/norm.js';
import type { Parameters } from '../../nn/parameters.js';

/** See above. */
export class LayerBuilder {
  readonly parameters: Parameters;
  /** Linear layers by path, in the order in which they were made; what adapters attach to. */
  readonly linears = new Map<string, Linear>();

  constructor(parameters: Parameters) {
    this.parameters = parameters;
  }

  /** The linear layer of a path, with a bias if the model has one there. */
  linear(path: string): Linear {
    const layer = new Linear(path, this.parameters.get(`${path}.weight`), this.#bias(path));
    this.linears.set(path, layer);
    return layer;
  }

  /** The norm of a path. */
  norm(path: string, eps: number): Norm {
    return new Norm(this.parameters.get(`${path}.weight`), this.#bias(path), eps);
  }

  #bias(path: string) {
    return this.parameters.find(`${path}.bias`) ?? null;
  }
}
