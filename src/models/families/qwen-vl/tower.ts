/** The vision towers of Qwen2-VL and Qwen2.5-VL: patches in, one feature per merged cell out. */
import { gelu, linear, permuteRows, reshape } from '../../../autograd/index.js';
import { FusedAttention, type LayerContext } from '../../../nn/attention.js';
import type { Linear } from '../../../nn/linear.js';
import type { Block } from '../../../nn/mlp.js';
import type { Norm } from '../../../nn/norm.js';
import { runLayers, TransformerLayer } from '../../../nn/transformer.js';
import { scope, type Tensor } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import { type Grid, patchValues } from '../../core/grid.js';
import type { Tower, TowerPass } from '../../core/tower.js';
import { visionPass, WHOLE_IMAGE, WINDOW } from './pass.js';
import type { QwenVision } from './vision.js';

/** What the generations make of different layers. */
export interface TowerDesign {
  norm(build: LayerBuilder, path: string, vision: QwenVision): Norm;
  mlp(build: LayerBuilder, path: string, vision: QwenVision): Block;
}

/** A vision tower with its merger. */
export class QwenTower implements Tower {
  readonly config: QwenVision;
  readonly #patchWeight: Tensor;
  readonly #blocks: readonly TransformerLayer[];
  readonly #mergerNorm: Norm;
  readonly #merger: readonly [Linear, Linear];

  constructor(config: QwenVision, design: TowerDesign, build: LayerBuilder) {
    this.config = config;
    const { width, heads, channels, temporalPatchSize: frames, patchSize: p } = config;
    const patch = [width, channels, frames, p, p];
    this.#patchWeight = build.parameter('visual.patch_embed.proj.weight', patch, 'matrix');
    this.#blocks = Array.from({ length: config.depth }, (_, layer) => {
      const path = `visual.blocks.${layer}`;
      const kind = config.fullAttentionBlocks.includes(layer) ? WHOLE_IMAGE : WINDOW;
      const norm1 = design.norm(build, `${path}.norm1`, config);
      const qkv = build.linear(`${path}.attn.qkv`, width, 3 * width, true);
      const out = build.linear(`${path}.attn.proj`, width, width, true);
      return new TransformerLayer({
        norm1,
        attention: new FusedAttention({ layer, kind }, qkv, out, heads),
        norm2: design.norm(build, `${path}.norm2`, config),
        mlp: design.mlp(build, `${path}.mlp`, config),
      });
    });
    const merged = width * config.mergeSize ** 2;
    this.#mergerNorm = design.norm(build, 'visual.merger.ln_q', config);
    this.#merger = [
      build.linear('visual.merger.mlp.0', merged, merged, true),
      build.linear('visual.merger.mlp.2', merged, config.outSize, true),
    ];
  }

  /** Prepares a pass over some images. */
  pass(grids: readonly Grid[]): TowerPass {
    const pass = visionPass(this.#patchWeight.gpu, this.config, grids);
    const { patches, cellOrder } = pass.layout;
    return {
      patches,
      forward: (pixels, { recompute = false, dropout }) => [
        this.#forward(pixels, cellOrder, { ...pass.context, dropout }, recompute),
      ],
      dispose: pass.dispose,
    };
  }

  #forward(pixels: Tensor, cellOrder: Int32Array, context: LayerContext, recompute: boolean): Tensor {
    const { config } = this;
    const { dropout } = context;
    const perCell = config.mergeSize ** 2;
    const ordered = cellOrder.every((cell, i) => cell === i);
    return scope(() => {
      const cells = reshape(pixels, [cellOrder.length, -1]);
      const inOrder = ordered ? cells : permuteRows(cells, cellOrder);
      const weight = reshape(this.#patchWeight, [config.width, patchValues(config)]);
      const embedded = linear(reshape(inOrder, pixels.shape), weight);
      const hidden = runLayers(embedded, this.#blocks, context, { recompute });
      const grouped = reshape(this.#mergerNorm.forward(hidden), [-1, config.width * perCell]);
      const merged = this.#merger[1].forward(gelu(this.#merger[0].forward(grouped, dropout)), dropout);
      return ordered ? merged : permuteRows(merged, inverse(cellOrder));
    });
  }
}

function inverse(order: Int32Array): Int32Array {
  const out = new Int32Array(order.length);
  order.forEach((from, to) => {
    out[from] = to;
  });
  return out;
}
