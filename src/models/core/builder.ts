/** Makes layers by name and shape, and remembers what it was asked for. */
import { Linear } from '../../nn/linear.js';
import { Norm, type NormOptions } from '../../nn/norm.js';
import type { Tensor } from '../../tensor/index.js';

/**
 * What a parameter is; decides how it is initialised and stored. The weights of a `norm` are around one, or its `shift`s from
 * one. Those of `linear` layers, and they alone, may be quantised.
 */
export type ParameterRole = 'linear' | 'matrix' | 'embedding' | 'bias' | 'norm' | 'shift';

/** A parameter by its published name. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  /** Parameters of one stack lie one after another in memory, in the order of the inventory, where their formats allow it. */
  readonly stack?: string | undefined;
}

/**
 * What families build their layers with. The same code makes a model from weights that were loaded, and, with tensors that
 * exist on paper only, the inventory of a model that was not.
 */
export class LayerBuilder {
  /** Every parameter, in the order in which they were asked for. */
  readonly specs: ParameterSpec[] = [];
  /** Linear layers by path; what adapters attach to. */
  readonly linears = new Map<string, Linear>();
  readonly #tensorOf: (spec: ParameterSpec) => Tensor;

  constructor(tensorOf: (spec: ParameterSpec) => Tensor) {
    this.#tensorOf = tensorOf;
  }

  /** A parameter. */
  parameter(name: string, shape: readonly number[], role: ParameterRole, stack?: string): Tensor {
    const spec = { name, shape, role, stack };
    this.specs.push(spec);
    return this.#tensorOf(spec);
  }

  /** A linear layer from `inputs` to `outputs` numbers; layers of one stack take the same input. */
  linear(path: string, inputs: number, outputs: number, bias: boolean, stack?: string): Linear {
    const parameter = (kind: string, shape: readonly number[], role: ParameterRole) =>
      this.parameter(`${path}.${kind}`, shape, role, stack && `${stack}.${kind}`);
    const weight = parameter('weight', [outputs, inputs], 'linear');
    const layer = new Linear(path, weight, bias ? parameter('bias', [outputs], 'bias') : null, stack);
    this.linears.set(path, layer);
    return layer;
  }

  /** An RMSNorm. */
  rmsNorm(path: string, width: number, options: NormOptions): Norm {
    const role = options.aroundOne ? 'shift' : 'norm';
    return new Norm(this.parameter(`${path}.weight`, [width], role), null, options);
  }

  /** A LayerNorm. */
  layerNorm(path: string, width: number, options: NormOptions): Norm {
    const weight = this.parameter(`${path}.weight`, [width], 'norm');
    return new Norm(weight, this.parameter(`${path}.bias`, [width], 'bias'), options);
  }
}
