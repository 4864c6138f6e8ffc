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
import { fromHost, scope, type Tensor } from '../../tensor/index.js';
import { DeviceBatch } from './batch.js';
import { LayerBuilder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder, DecoderInput } from './decoder.js';
import { modelError } from './errors.js';
import { blindness } from './family.js';
import { type Grid, gridPatches, gridTokens, patchValues } from './grid.js';
import type { Adapter } from './lora/adapter.js';
import type { PackedBatch } from './packing.js';
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
  /** What was odd about the files that the model came from. */
  readonly warnings: readonly string[];

  /** Takes over parameters that were loaded for this config. */
  constructor(gpu: Gpu, config: ModelConfig, parameters: Parameters, warnings: readonly string[] = []) {
    this.gpu = gpu;
    this.config = config;
    this.parameters = parameters;
    this.warnings = warnings;
    const build = new LayerBuilder(({ name }) => parameters.get(name));
    const { tower, decoder } = config.build(build);
    this.vision = tower;
    this.decoder = decoder;
    this.linears = build.linears;
  }

  /** The embedding [V, D]. */
  get embeddings(): Tensor {
    return this.decoder.parts.embeddings;
  }

  /** The output weights [V, D]: the embedding again where they are tied. */
  get head(): Tensor {
    return this.decoder.parts.head;
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
    const tower = this.vision;
    if (!tower) throw modelError('the batch has images, but', blindness(this.config.family));
    const patches = grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
    const width = patchValues(tower.config);
    const size = 'isTensor' in pixels ? pixels.size : pixels.length;
    if (size !== patches * width) {
      throw modelError(
        'the pixel values',
        `are ${size} numbers; the grids need ${patches} patches of ${width}`,
      );
    }
    const passes: TowerPass[] = [];
    const features = scope(() => {
      let first = 0;
      const parts = portions(grids).map((own) => {
        const pass = tower.pass(own);
        passes.push(pass);
        const count = pass.patches;
        const share =
          'isTensor' in pixels
            ? narrow(reshape(pixels, [patches, width]), 0, first, count)
            : fromHost(
                this.gpu,
                pixels.subarray(first * width, (first + count) * width),
                [count, width],
                'f32',
              );
        first += count;
        return pass.forward(share, options);
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
