/** The vision towers of Qwen2-VL and Qwen2.5-VL: patches in, one feature per merged cell out. */
import { attention, gelu, linear, permuteRows, quickGelu, reshape, silu } from '../../../autograd/index.js';
import { Segments } from '../../../kernels/attention.js';
import { rotaryTable, visionRotaryAngles } from '../../../kernels/rotary.js';
import { type AttentionContext, FusedAttention } from '../../../nn/attention.js';
import type { Linear } from '../../../nn/linear.js';
import { type Block, GatedMlp, PlainMlp } from '../../../nn/mlp.js';
import type { Norm } from '../../../nn/norm.js';
import { runLayers, TransformerLayer } from '../../../nn/transformer.js';
import { scope, type Tensor } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import { type Grid, patchValues } from '../../core/grid.js';
import type { VisionConfig } from './vision-config.js';
import { type VisionLayout, visionLayout } from './vision-layout.js';

const ACTIVATIONS = { quick_gelu: quickGelu, gelu, silu } as const;

/** What a pass through the tower needs besides the pixels. Dispose it after the backward pass. */
export interface VisionPass {
  readonly layout: VisionLayout;
  readonly full: AttentionContext;
  readonly windowed: AttentionContext;
  dispose(): void;
}

/** A vision tower with its merger. */
export class VisionTower {
  readonly config: VisionConfig;
  readonly #patchWeight: Tensor;
  readonly #blocks: readonly TransformerLayer[];
  readonly #mergerNorm: Norm;
  readonly #merger: readonly [Linear, Linear];

  constructor(config: VisionConfig, build: LayerBuilder) {
    this.config = config;
    this.#patchWeight = build.parameters.get('visual.patch_embed.proj.weight');
    this.#blocks = Array.from({ length: config.depth }, (_, i) => {
      const path = `visual.blocks.${i}`;
      return new TransformerLayer(
        build.norm(`${path}.norm1`, config.normEps),
        new FusedAttention(
          i,
          build.linear(`${path}.attn.qkv`),
          build.linear(`${path}.attn.proj`),
          config.heads,
        ),
        build.norm(`${path}.norm2`, config.normEps),
        mlp(config, `${path}.mlp`, build),
      );
    });
    this.#mergerNorm = build.norm('visual.merger.ln_q', config.normEps);
    this.#merger = [build.linear('visual.merger.mlp.0'), build.linear('visual.merger.mlp.2')];
  }

  /** Prepares positions and segments for some images. */
  pass(grids: readonly Grid[]): VisionPass {
    const { gpu } = this.#patchWeight;
    const layout = visionLayout(this.config, grids);
    const headDim = this.config.width / this.config.heads;
    const table = rotaryTable(gpu, visionRotaryAngles(layout.rows, layout.columns, headDim), headDim);
    table.cos.keep();
    table.sin.keep();
    const images = Segments.fromLengths(gpu, layout.imageLengths);
    const windows = layout.windowLengths ? Segments.fromLengths(gpu, layout.windowLengths) : null;
    const within = (segments: Segments): AttentionContext => ({
      rotary: table,
      attend: (_, q, k, v) => attention(q, k, v, segments, { causal: false }),
    });
    return {
      layout,
      full: within(images),
      windowed: within(windows ?? images),
      dispose: () => {
        for (const held of [table.cos, table.sin, images, windows]) held?.dispose();
      },
    };
  }

  /** Patches [N, values] of all images, in processor order, to features [N / merge^2, out]. */
  forward(pixels: Tensor, pass: VisionPass, recompute = false): Tensor {
    const { config } = this;
    const perCell = config.mergeSize ** 2;
    const { cellOrder } = pass.layout;
    const ordered = cellOrder.every((cell, i) => cell === i);
    return scope(() => {
      const cells = reshape(pixels, [cellOrder.length, -1]);
      const inOrder = ordered ? cells : permuteRows(cells, cellOrder);
      const weight = reshape(this.#patchWeight, [config.width, patchValues(config)]);
      const embedded = linear(reshape(inOrder, pixels.shape), weight);
      const isFull = (i: number) => config.fullAttentionBlocks.includes(i);
      const hidden = runLayers(
        embedded,
        this.#blocks,
        (i) => (isFull(i) ? pass.full : pass.windowed),
        recompute,
      );
      const grouped = reshape(this.#mergerNorm.forward(hidden), [-1, config.width * perCell]);
      const merged = this.#merger[1].forward(gelu(this.#merger[0].forward(grouped)));
      return ordered ? merged : permuteRows(merged, inverse(cellOrder));
    });
  }
}

function mlp(config: VisionConfig, path: string, build: LayerBuilder): Block {
  if (config.kind === 'qwen2_vl') {
    return new PlainMlp(
      build.linear(`${path}.fc1`),
      build.linear(`${path}.fc2`),
      ACTIVATIONS[config.activation],
    );
  }
  const [gate, up, down] = ['gate', 'up', 'down'].map((name) => build.linear(`${path}.${name}_proj`));
  return new GatedMlp(gate, up, down);
}

function inverse(order: Int32Array): Int32Array {
  const out = new Int32Array(order.length);
  order.forEach((from, to) => {
    out[from] = to;
  });
  return out;
}
