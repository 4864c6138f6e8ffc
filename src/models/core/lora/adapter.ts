/**
 * A LoRA adapter on a model: small matrices A [rank, in] and B [out, rank] beside linear layers, which add
 * `scale * B A dropout(x)` to what the layers give.
 */
import { add, affine, matmul, noGrad } from '../../../autograd/index.js';
import type { Gpu } from '../../../gpu/index.js';
import { cast } from '../../../kernels/elementwise.js';
import { nameHash, randomWords } from '../../../kernels/random.js';
import type { Linear } from '../../../nn/linear.js';
import { Parameters } from '../../../nn/parameters.js';
import { formatOf, scope } from '../../../tensor/index.js';
import { modelError } from '../errors.js';
import { isVision, namesVision, type WeightNames } from '../names.js';
import { fillUniform } from '../random-words.js';
import { LORA_DEFAULTS, type LoraConfig } from './config.js';
import { adapterRooms, disposeRooms, type LoraMatrices } from './rooms.js';
import { scaling, targets } from './targets.js';

/** What a model must have to take an adapter. */
export interface Adaptable {
  readonly gpu: Gpu;
  readonly config: { readonly names: WeightNames };
  /** Its own weights. */
  readonly parameters: Parameters;
  /** Linear layers by path. */
  readonly linears: ReadonlyMap<string, Linear>;
  /** The adapter that is attached, if any. */
  adapter: Adapter | null;
}

/** Options of {@link createAdapter}. */
export interface CreateAdapterOptions {
  /** Seed of the random A matrices. */
  readonly seed: number;
  /**
   * Adapt the vision tower where the targets match it. Without this only a regular expression that says `visual` does: the
   * tower of Qwen2.5-VL shares names such as `gate_proj` with the decoder.
   */
  readonly adaptVision?: boolean;
}

/** An adapter, attached to its model until it is merged or disposed. */
export class Adapter {
  readonly model: Adaptable;
  readonly config: LoraConfig;
  /** `<path>.lora_A.weight` and `<path>.lora_B.weight`, f32, trainable. */
  readonly parameters = new Parameters();
  readonly #modules: Linear[] = [];

  /** Attaches to a model that has no adapter. */
  constructor(model: Adaptable, config: LoraConfig) {
    if (model.adapter) throw modelError('the model', 'has an adapter already; merge or dispose it first');
    this.model = model;
    this.config = config;
    model.adapter = this;
  }

  /** Paths of the adapted modules. */
  get paths(): string[] {
    return this.#modules.map(({ path }) => path);
  }

  /** Adds matrices to one module; the adapter owns them from here on. */
  attach(linear: Linear, { a, b }: LoraMatrices): void {
    const path = this.model.config.names.memory(linear.path);
    const { rank, scale } = scaling(this.config, path);
    const shapes = `A [${a.shape.join(', ')}] and B [${b.shape.join(', ')}]`;
    const fits =
      a.shape.join() === `${rank},${linear.inputs}` && b.shape.join() === `${linear.outputs},${rank}`;
    if (!fits) {
      const expected = `[${rank}, ${linear.inputs}] and [${linear.outputs}, ${rank}]`;
      throw modelError(
        `the adapter of ${path}`,
        `has ${shapes}; its rank and the model make them ${expected}`,
      );
    }
    this.parameters.set(`${linear.path}.lora_A.weight`, a.requireGrad());
    this.parameters.set(`${linear.path}.lora_B.weight`, b.requireGrad());
    linear.adapter = { a, b, scale, dropout: this.config.dropout, stream: nameHash(linear.path) };
    this.#modules.push(linear);
  }

  /** Runs `body` as if the adapter were not there: the reference policy of GRPO. Not for async bodies. */
  without<T>(body: () => T): T {
    const held = this.#modules.map(({ adapter }) => adapter);
    for (const linear of this.#modules) linear.adapter = null;
    try {
      return body();
    } finally {
      this.#modules.forEach((linear, i) => {
        linear.adapter = held[i];
      });
    }
  }

  /** Adds the adapter to the weights, rounding to their storage, and disposes it. */
  merge(): void {
    const blocks = this.#modules.find(({ weight }) => formatOf(weight.dtype).kind === 'blocks');
    if (blocks) {
      throw modelError(
        `the weight of ${blocks.path}`,
        `is in ${blocks.weight.dtype}, which an adapter cannot be added to; osler merge writes a model in f32 or bf16`,
      );
    }
    for (const linear of this.#modules) {
      const { adapter, weight } = linear;
      if (!adapter) continue;
      noGrad(() =>
        scope(() => {
          const delta = affine(matmul(adapter.b, adapter.a), adapter.scale);
          const merged = cast(add(cast(weight, 'f32'), delta), weight.dtype);
          weight.gpu.copy(merged.range, weight.range);
        }),
      );
    }
    this.dispose();
  }

  /** Detaches from the model and frees the matrices. */
  dispose(): void {
    for (const linear of this.#modules) linear.adapter = null;
    this.#modules.length = 0;
    this.parameters.dispose();
    if (this.model.adapter === this) this.model.adapter = null;
  }
}

/** A new adapter: A random as PEFT draws it (Kaiming uniform), B zero, so that the model is unchanged at first. */
export function createAdapter(
  model: Adaptable,
  settings: Partial<LoraConfig>,
  options: CreateAdapterOptions,
): Adapter {
  return adapterOf(model, settings, options, ({ path, inputs }, { a, b }) => {
    const values = new Float32Array(a.size);
    const [key0, key1] = randomWords({ seed: options.seed, stream: nameHash(path), step: 0, position: 0 });
    fillUniform(values, 1 / Math.sqrt(inputs), key0, key1);
    a.write(values);
    model.gpu.clear(b.range);
  });
}

/** An adapter on the modules that the settings target, with what `fill` writes into their matrices. */
export function adapterOf(
  model: Adaptable,
  settings: Partial<LoraConfig>,
  options: Pick<CreateAdapterOptions, 'adaptVision'>,
  fill: (linear: Linear, matrices: LoraMatrices) => void,
): Adapter {
  const config = guarded({ ...LORA_DEFAULTS, ...settings }, model, options);
  const { names } = model.config;
  const chosen = [...model.linears.values()].filter(({ path }) => targets(config, names.memory(path)));
  if (chosen.length === 0) {
    const known = [...new Set([...model.linears.keys()].map((path) => path.split('.').at(-1)))].join(', ');
    throw modelError(
      `the LoRA targets ${JSON.stringify(config.targets)}`,
      `match no module; there are ${known}`,
    );
  }
  const adapter = new Adapter(model, config);
  const rooms = adapterRooms(
    model.gpu,
    chosen.map((linear) => {
      const { rank } = scaling(config, names.memory(linear.path));
      return { linear, a: [rank, linear.inputs], b: [linear.outputs, rank] };
    }),
  );
  try {
    chosen.forEach((linear, i) => {
      fill(linear, rooms[i]);
      adapter.attach(linear, rooms[i]);
    });
  } catch (error) {
    adapter.dispose();
    disposeRooms(rooms);
    throw error;
  }
  return adapter;
}

function guarded(
  config: LoraConfig,
  model: Adaptable,
  options: Pick<CreateAdapterOptions, 'adaptVision'>,
): LoraConfig {
  const { targets: wanted, exclude } = config;
  const { names } = model.config;
  if (options.adaptVision || namesVision(names, wanted)) return config;
  const matched = [...model.linears.keys()].some(
    (path) => isVision(names, path) && targets(config, names.memory(path)),
  );
  if (!matched) return config;
  // What PEFT must be told so that it, too, leaves the tower alone.
  const words = names.vision.length > 1 ? `(${names.vision.join('|')})` : names.vision[0];
  const tower = `.*\\.?${words}\\..*`;
  if (exclude === null) return { ...config, exclude: tower };
  const also =
    typeof exclude === 'string' ? exclude : exclude.map((name) => `(.*\\.)?${escaped(name)}`).join('|');
  return { ...config, exclude: `(${also}|${tower})` };
}

function escaped(name: string): string {
  return name.replaceAll('.', '\\.');
}
