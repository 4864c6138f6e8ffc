/** Where the parameters of a model lie on the device. */
import type { Gpu } from '../../gpu/index.js';
import { empty, emptyStack, type Tensor, type WeightFormat } from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';

/** Makes room for each parameter: those of one stack in one allocation, where they are of one format. */
export class ParameterRooms {
  readonly #gpu: Gpu;
  readonly #specs: readonly ParameterSpec[];
  readonly #formatOf: (spec: ParameterSpec) => WeightFormat;
  /** Made with the first of their stack, and not asked for yet. */
  readonly #waiting = new Map<string, Tensor>();

  /** `formatOf` says how a matrix is stored. Norms and biases are always f32. */
  constructor(gpu: Gpu, specs: readonly ParameterSpec[], formatOf: (spec: ParameterSpec) => WeightFormat) {
    this.#gpu = gpu;
    this.#specs = specs;
    this.#formatOf = formatOf;
  }

  /** Room for a parameter, with undefined contents; it lives until `dispose`. */
  take(spec: ParameterSpec): Tensor {
    const { name, shape, stack } = spec;
    if (!this.#waiting.has(name) && stack !== undefined) this.#makeStack(stack);
    const found = this.#waiting.get(name);
    this.#waiting.delete(name);
    return found ?? empty(this.#gpu, shape, { dtype: this.#dtype(spec), purpose: 'weights' }).keep();
  }

  /** Frees what was not taken. */
  dispose(): void {
    for (const tensor of this.#waiting.values()) tensor.dispose();
    this.#waiting.clear();
  }

  #makeStack(stack: string): void {
    const members = this.#specs.filter((spec) => spec.stack === stack);
    const dtype = this.#dtype(members[0]);
    if (members.some((spec) => this.#dtype(spec) !== dtype)) return;
    const shapes = members.map(({ shape }) => shape);
    emptyStack(this.#gpu, shapes, { dtype, purpose: 'weights' }).forEach((tensor, i) => {
      this.#waiting.set(members[i].name, tensor.keep());
    });
  }

  #dtype(spec: ParameterSpec): WeightFormat {
    const dtype = this.#formatOf(spec);
    return spec.role === 'linear' || spec.role === 'matrix' || spec.role === 'embedding' ? dtype : 'f32';
  }
}
