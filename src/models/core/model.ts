/**
 * A language model, with or without eyes.
 *
 * A training or scoring step packs its sequences (`packSequences`, `packGroups`), uploads them (`prepare`), encodes images
 * (`encodeImages`), runs `hidden`, and hands the hidden states and `head` to `tokenLogProbs` or `crossEntropy`, which never
 * hold all logits. Generation calls `hiddenWith` with an attention context of its own.
 */
import { concat, linear, narrow, reshape } from '../../autograd/index.js';
import type { Gpu } from '../../gpu/index.js';
import type { LayerContext } from '../../nn/attention.js';
import type { Linear } from '../../nn/linear.js';
import type { Parameters } from '../../nn/parameters.js';
import { formatOf, fromHost, scope, type Tensor } from '../../tensor/index.js';
import { DeviceBatch } from './batch.js';
import { LayerBuilder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder, DecoderInput } from './decoder.js';
import { modelError } from './errors.js';
import { blindness } from './family.js';
import type { FeatureCache } from './features.js';
import { type Grid, gridPatches, gridTokens, patchValues } from './grid.js';
import type { Adapter } from './lora/adapter.js';
import { isVision } from './names.js';
import type { PackedBatch } from './packing.js';
import { type ImagePatches, joinPatches } from './patches.js';
import type { PassOptions, Tower, TowerPass } from './tower.js';

export type { PassOptions } from './tower.js';

/** Images through the tower. */
export interface EncodedImages {
  /** Features [cells, width] in the order of the images: one tensor, or as many as the family's decoder takes. */
  readonly features: readonly Tensor[];
  /** Frees what the backward pass through the tower needs, and the features. */
  dispose(): void;
}

/** Most patches that go through the tower at once; whole images, so one may be larger. */
const PATCHES_PER_PASS = 16384;

/** A loaded model. */
export class Model {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly decoder: Decoder;
  readonly vision: Tower | null;
  /** Every linear layer by path; adapters attach to them. The output head is not among them. */
  readonly linears: ReadonlyMap<string, Linear>;
  /** The LoRA adapter that is attached, if any; `createAdapter` and `loadAdapter` set it. */
  adapter: Adapter | null = null;
  /** What a frozen tower gave before; whoever sets it disposes it. */
  features: FeatureCache | null = null;
  /** Weights of what sees. */
  readonly #seeing: readonly Tensor[];
  /** What was odd about the files that the model came from. */
  readonly warnings: readonly string[];

  /** Takes over parameters that were loaded for this config. */
  constructor(gpu: Gpu, config: ModelConfig, parameters: Parameters, warnings: readonly string[] = []) {
    this.gpu = gpu;
    this.config = config;
    this.parameters = parameters;
    this.warnings = warnings;
    this.#seeing = [...parameters.entries()]
      .filter(([name]) => isVision(config.names, name))
      .map(([, tensor]) => tensor);
    const build = new LayerBuilder(({ name }) => parameters.get(name));
    const { tower, decoder } = config.build(build);
    this.vision = tower;
    this.decoder = decoder;
    this.linears = build.linears;
  }

  /** Whether any weight is stored in blocks: it does not train, and is not written. */
  get isQuantised(): boolean {
    return [...this.parameters.entries()].some(([, { dtype }]) => formatOf(dtype).kind === 'blocks');
  }

  /** The embedding [V, D]. */
  get embeddings(): Tensor {
    return this.decoder.parts.embeddings;
  }

  /** The output weights [V, D]: the embedding again where they are tied. */
  get head(): Tensor {
    return this.decoder.parts.head;
  }

  /** Whether nothing of what sees trains or has an adapter. */
  get seesFrozen(): boolean {
    const { names } = this.config;
    const adapted = this.adapter?.paths.some((path) => isVision(names, path)) ?? false;
    return this.vision !== null && !adapted && this.#seeing.every(({ requiresGrad }) => !requiresGrad);
  }

  /** Every weight that training may change, by name: the model's own and the adapter's. */
  *namedParameters(): Generator<[string, Tensor]> {
    yield* this.parameters.entries();
    if (this.adapter) yield* this.adapter.parameters.entries();
  }

  /** A weight of the model or of its adapter. */
  findParameter(name: string): Tensor | undefined {
    return this.parameters.find(name) ?? this.adapter?.parameters.find(name);
  }

  /** Decides by name which weights train, the adapter's among them. */
  train(select: (name: string) => boolean): void {
    this.parameters.train(select);
    this.adapter?.parameters.train(select);
  }

  /** Frees all gradients. */
  clearGradients(): void {
    this.parameters.clearGradients();
    this.adapter?.parameters.clearGradients();
  }

  /** Uploads a packed batch. */
  prepare(batch: PackedBatch): DeviceBatch {
    return new DeviceBatch(this.gpu, this.config, batch);
  }

  /**
   * Features of images (or videos) from their patches [N, values], in the image processor's order, and grids.
   */
  encodeImages(
    pixels: Float32Array | Tensor,
    grids: readonly Grid[],
    options: PassOptions = {},
  ): EncodedImages {
    if (!('isTensor' in pixels)) return this.encodeParts([{ pixels, grids }], options);
    const { patches, width } = this.#checkPixels(pixels.size, grids);
    let first = 0;
    const runs = (this.seesFrozen ? grids.map((grid) => [grid]) : portions(grids)).map((own): Run => {
      const start = first;
      const count = countPatches(own);
      first += count;
      return { grids: own, pixels: () => narrow(reshape(pixels, [patches, width]), 0, start, count) };
    });
    return this.#encode(runs, options);
  }

  /**
   * The same of several prompts' images. What trains takes them together; a frozen tower takes one at a time, so that what it
   * gives for an image depends on nothing else, and looks first whether `features` has it.
   */
  encodeParts(parts: readonly ImagePatches[], options: PassOptions = {}): EncodedImages {
    let width = 0;
    for (const { pixels, grids } of parts) width = this.#checkPixels(pixels.length, grids).width;
    const frozen = this.seesFrozen;
    const cache = frozen && this.features?.keeps ? this.features : null;
    const runs = (frozen ? parts : [joinPatches(parts)]).flatMap((part): Run[] => {
      if (!part) return [];
      const { pixels, grids } = part;
      const digests = cache?.digests(part);
      let first = 0;
      return (frozen ? grids.map((grid) => [grid]) : portions(grids)).map((own, i): Run => {
        const count = countPatches(own);
        const values = pixels.subarray(first * width, (first + count) * width);
        first += count;
        return {
          grids: own,
          pixels: () => fromHost(this.gpu, values, [count, width], 'f32'),
          ...(digests ? { digest: digests[i] } : {}),
        };
      });
    });
    return this.#encode(runs, options);
  }

  /** Hidden states after the final norm [T, D], at the packed positions. */
  hidden(batch: DeviceBatch, features: readonly Tensor[] | null = null, options: PassOptions = {}): Tensor {
    const { ids, featureRows } = batch;
    const context = { ...batch.context, dropout: options.dropout };
    return this.hiddenWith({ ids, featureRows, features: features ?? [] }, context, options.recompute);
  }

  /** The same with any kind of attention, such as one over a KV cache. */
  hiddenWith(input: DecoderInput, context: LayerContext, recompute = false): Tensor {
    return this.decoder.forward(input, context, recompute);
  }

  /** Logits [T, V] of hidden states [T, D]: for a few rows, such as those to sample from. */
  logits(hidden: Tensor): Tensor {
    return linear(hidden, this.head);
  }

  /** Checks sizes before anything is uploaded. */
  #checkPixels(size: number, grids: readonly Grid[]): { patches: number; width: number } {
    if (!this.vision) throw modelError('the batch has images, but', blindness(this.config.family));
    const patches = countPatches(grids);
    const width = patchValues(this.vision.config);
    if (size !== patches * width) {
      throw modelError(
        'the pixel values',
        `are ${size} numbers; the grids need ${patches} patches of ${width}`,
      );
    }
    return { patches, width };
  }

  #encode(runs: readonly Run[], options: PassOptions): EncodedImages {
    const frozen = this.seesFrozen;
    // Versions only grow, so that no two states of these weights have the same sum.
    const state = this.#seeing.reduce((sum, { storage }) => sum + storage.buffer.version, 0);
    const passes: TowerPass[] = [];
    const features = scope(() => {
      const parts = runs.map(({ grids, pixels, digest }) => {
        const key = digest && `${this.#seeing[0].storage.buffer.id}.${state}:${digest}`;
        const found = key && this.features?.find(key, this.gpu);
        if (found) return found;
        const pass = (this.vision as Tower).pass(grids);
        passes.push(pass);
        const made = pass.forward(pixels(), options);
        this.features?.count(grids.length);
        if (key) this.features?.keep(key, made);
        // There is no way back through what does not train.
        if (frozen) passes.pop()?.dispose();
        return made;
      });
      if (parts.length === 1) return parts[0];
      return parts[0].map((_, i) =>
        concat(
          parts.map((levels) => levels[i]),
          0,
        ),
      );
    });
    return {
      features,
      dispose: () => {
        for (const held of [...passes, ...features]) held.dispose();
      },
    };
  }

  /** Number of features that an image's grid gives. */
  imageTokens(grid: Grid): number {
    return gridTokens(grid, this.config.vision?.mergeSize ?? 1);
  }

  /** Frees all weights. */
  dispose(): void {
    this.adapter?.dispose();
    this.parameters.dispose();
  }
}

/** Images that go through the tower together. */
interface Run {
  readonly grids: readonly Grid[];
  /** Uploads their patches. */
  pixels(): Tensor;
  /** What names the image where features are kept. */
  readonly digest?: string;
}

function countPatches(grids: readonly Grid[]): number {
  return grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
}

/** Runs of images of at most {@link PATCHES_PER_PASS} patches. */
function portions(grids: readonly Grid[]): Grid[][] {
  const out: Grid[][] = [];
  let patches = Number.POSITIVE_INFINITY;
  for (const grid of grids) {
    const more = gridPatches(grid);
    if (patches + more > PATCHES_PER_PASS) {
      out.push([]);
      patches = 0;
    }
    out[out.length - 1].push(grid);
    patches += more;
  }
  return out;
}
