/** The vision tower: patches in; one feature per merged cell out, and as many more from blocks on the way there. */
import { add, gelu, geluTanh, linear, quickGelu, reshape, silu } from '../../../autograd/index.js';
import { FusedAttention } from '../../../nn/attention.js';
import type { Linear } from '../../../nn/linear.js';
import { PlainMlp } from '../../../nn/mlp.js';
import type { Norm } from '../../../nn/norm.js';
import { runLayers, TransformerLayer } from '../../../nn/transformer.js';
import { scope, type Tensor } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import { type Grid, patchValues } from '../../core/grid.js';
import type { PassOptions, Tower, TowerPass } from '../../core/tower.js';
import { type VisionPass, visionPass, WHOLE_IMAGE } from '../qwen-vl/pass.js';
import { TOWER } from './names.js';
import { bilinearTaps, interpolatedRows, type Tap } from './position-embedding.js';
import type { Qwen3Vision } from './vision.js';

const ACTIVATIONS = { gelu_pytorch_tanh: geluTanh, gelu, silu, quick_gelu: quickGelu } as const;

/** Patches of a cell side by side, then two layers. */
interface Merger {
  readonly norm: Norm;
  /** Whether the norm sees the patches of a cell as one row. */
  readonly joined: boolean;
  readonly mlp: readonly [Linear, Linear];
}

/** See above. */
export class Qwen3Tower implements Tower {
  readonly config: Qwen3Vision;
  readonly #patches: { readonly weight: Tensor; readonly bias: Tensor };
  readonly #positions: Tensor;
  readonly #blocks: readonly TransformerLayer[];
  /** One for each of the blocks that features are taken from. */
  readonly #deepstack: readonly Merger[];
  readonly #merger: Merger;

  constructor(config: Qwen3Vision, build: LayerBuilder) {
    this.config = config;
    const { width, heads, channels, temporalPatchSize: frames, patchSize: p, normEps: eps } = config;
    const kernel = [width, channels, frames, p, p];
    this.#patches = {
      weight: build.parameter(`${TOWER}.patch_embed.proj.weight`, kernel, 'matrix'),
      bias: build.parameter(`${TOWER}.patch_embed.proj.bias`, [width], 'bias'),
    };
    this.#positions = build.parameter(`${TOWER}.pos_embed.weight`, [config.positions, width], 'embedding');
    this.#blocks = Array.from({ length: config.depth }, (_, layer) => {
      const path = `${TOWER}.blocks.${layer}`;
      const norm1 = build.layerNorm(`${path}.norm1`, width, { eps });
      const qkv = build.linear(`${path}.attn.qkv`, width, 3 * width, true);
      const out = build.linear(`${path}.attn.proj`, width, width, true);
      return new TransformerLayer({
        norm1,
        attention: new FusedAttention({ layer, kind: WHOLE_IMAGE }, qkv, out, heads),
        norm2: build.layerNorm(`${path}.norm2`, width, { eps }),
        mlp: new PlainMlp(
          build.linear(`${path}.mlp.linear_fc1`, width, config.intermediateSize, true),
          build.linear(`${path}.mlp.linear_fc2`, config.intermediateSize, width, true),
          ACTIVATIONS[config.activation],
        ),
      });
    });
    const merged = width * config.mergeSize ** 2;
    const merger = (path: string, joined: boolean): Merger => ({
      norm: build.layerNorm(`${path}.norm`, joined ? merged : width, { eps }),
      joined,
      mlp: [
        build.linear(`${path}.linear_fc1`, merged, merged, true),
        build.linear(`${path}.linear_fc2`, merged, config.outSize, true),
      ],
    });
    this.#deepstack = config.deepstack.map((_, i) => merger(`${TOWER}.deepstack_merger_list.${i}`, true));
    this.#merger = merger(`${TOWER}.merger`, false);
  }

  /** Prepares a pass over some images. */
  pass(grids: readonly Grid[]): TowerPass {
    const pass = visionPass(this.#positions.gpu, { ...this.config, windowCells: null }, grids);
    const { patches, rows, columns } = pass.layout;
    const taps = bilinearTaps(grids, rows, columns, this.config.positionSide);
    return {
      patches,
      forward: (pixels, options) => this.#forward(pixels, pass, taps, options),
      dispose: pass.dispose,
    };
  }

  #forward(
    pixels: Tensor,
    pass: VisionPass,
    taps: readonly Tap[],
    { recompute = false, dropout }: PassOptions,
  ): readonly Tensor[] {
    const { config } = this;
    return scope(() => {
      const weight = reshape(this.#patches.weight, [config.width, patchValues(config)]);
      const embedded = scope(() =>
        add(linear(pixels, weight, this.#patches.bias), interpolatedRows(this.#positions, taps)),
      );
      const further: Tensor[] = [];
      const hidden = runLayers(
        embedded,
        this.#blocks,
        { ...pass.context, dropout },
        {
          recompute,
          tap: (h, block) => {
            const level = config.deepstack.indexOf(block);
            if (level >= 0) further.push(this.#merge(h, this.#deepstack[level], dropout));
            return h;
          },
        },
      );
      return [this.#merge(hidden, this.#merger, dropout), ...further];
    });
  }

  #merge(
    hidden: Tensor,
    { norm, joined, mlp: [first, second] }: Merger,
    dropout: PassOptions['dropout'],
  ): Tensor {
    return scope(() => {
      const cells = (x: Tensor) => reshape(x, [-1, first.inputs]);
      const rows = joined ? norm.forward(cells(hidden)) : cells(norm.forward(hidden));
      return second.forward(gelu(first.forward(rows, dropout)), dropout);
    });
  }
}
