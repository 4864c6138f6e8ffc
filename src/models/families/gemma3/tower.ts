/** The vision tower (SigLIP) with its projector: patches of pictures of one size in, averaged features out. */
import { add, embedding, geluTanh, linear, matmul, mean, reshape } from '../../../autograd/index.js';
import { attention } from '../../../autograd/ops/attention.js';
import { Segments } from '../../../kernels/attention.js';
import type { LayerContext } from '../../../nn/attention.js';
import type { Linear } from '../../../nn/linear.js';
import { PlainMlp } from '../../../nn/mlp.js';
import type { Norm } from '../../../nn/norm.js';
import { type AttentionBlock, runLayers, TransformerLayer } from '../../../nn/transformer.js';
import { scope, type Tensor } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import { modelError } from '../../core/errors.js';
import { type Grid, patchValues } from '../../core/grid.js';
import type { Tower, TowerPass } from '../../core/tower.js';
import { visionLayout } from '../qwen-vl/layout.js';
import { PROJECTOR, TOWER } from './names.js';
import type { SiglipVision } from './vision.js';

/** Attention of patches to all of their picture; where they are the embedding says. */
class PatchAttention implements AttentionBlock {
  readonly #place: { readonly layer: number; readonly kind: number };
  readonly #projections: readonly [q: Linear, k: Linear, v: Linear];
  readonly #out: Linear;
  readonly #heads: number;

  constructor(
    layer: number,
    projections: readonly [q: Linear, k: Linear, v: Linear],
    out: Linear,
    heads: number,
  ) {
    this.#place = { layer, kind: 0 };
    this.#projections = projections;
    this.#out = out;
    this.#heads = heads;
  }

  /** Applies the block to x [patches, width]. */
  forward(x: Tensor, { attend, dropout }: LayerContext): Tensor {
    const [patches, width] = x.shape;
    const shape = [patches, this.#heads, width / this.#heads];
    const [q, k, v] = this.#projections.map((layer) => reshape(layer.forward(x, dropout), shape));
    return this.#out.forward(reshape(attend(this.#place, q, k, v), [patches, width]), dropout);
  }
}

/** See above. */
export class SiglipTower implements Tower {
  readonly config: SiglipVision;
  readonly #patches: { readonly weight: Tensor; readonly bias: Tensor };
  readonly #positions: Tensor;
  readonly #blocks: readonly TransformerLayer[];
  readonly #after: Norm;
  readonly #projector: { readonly norm: Norm; readonly weight: Tensor };

  /** `features` is the width of the decoder. */
  constructor(config: SiglipVision, features: number, build: LayerBuilder) {
    this.config = config;
    const { width, heads, channels, side, patchSize: p, normEps: eps, intermediateSize } = config;
    const kernel = [width, channels, p, p];
    this.#patches = {
      weight: build.parameter(`${TOWER}.embeddings.patch_embedding.weight`, kernel, 'matrix'),
      bias: build.parameter(`${TOWER}.embeddings.patch_embedding.bias`, [width], 'bias'),
    };
    const table = [side ** 2, width];
    this.#positions = build.parameter(`${TOWER}.embeddings.position_embedding.weight`, table, 'embedding');
    this.#blocks = Array.from({ length: config.depth }, (_, layer) => {
      const path = `${TOWER}.encoder.layers.${layer}`;
      const norm1 = build.layerNorm(`${path}.layer_norm1`, width, { eps });
      const project = (name: string) => build.linear(`${path}.self_attn.${name}_proj`, width, width, true);
      return new TransformerLayer({
        norm1,
        attention: new PatchAttention(
          layer,
          [project('q'), project('k'), project('v')],
          project('out'),
          heads,
        ),
        norm2: build.layerNorm(`${path}.layer_norm2`, width, { eps }),
        mlp: new PlainMlp(
          build.linear(`${path}.mlp.fc1`, width, intermediateSize, true),
          build.linear(`${path}.mlp.fc2`, intermediateSize, width, true),
          geluTanh,
        ),
      });
    });
    this.#after = build.layerNorm(`${TOWER}.post_layernorm`, width, { eps });
    this.#projector = {
      norm: build.rmsNorm(`${PROJECTOR}.mm_soft_emb_norm`, width, { eps, aroundOne: true }),
      weight: build.parameter(`${PROJECTOR}.mm_input_projection_weight`, [width, features], 'matrix'),
    };
  }

  /** Prepares a pass over some images. */
  pass(grids: readonly Grid[]): TowerPass {
    const { side, mergeSize } = this.config;
    const wrong = grids.find((grid) => grid.join() !== `1,${side},${side}`);
    if (wrong) {
      throw modelError(
        'an image',
        `has the grid [${wrong.join(', ')}]; this model takes [1, ${side}, ${side}]`,
      );
    }
    const layout = visionLayout({ mergeSize, windowCells: null }, grids);
    const segments = Segments.fromLengths(this.#positions.gpu, layout.imageLengths);
    const places = layout.rows.map((row, i) => row * side + layout.columns[i]);
    const context: LayerContext = {
      rotary: [],
      attend: (_, q, k, v) => attention(q, k, v, segments, { causal: false }),
    };
    return {
      patches: layout.patches,
      forward: (pixels, { recompute = false, dropout }) => [
        this.#forward(pixels, places, { ...context, dropout }, recompute),
      ],
      dispose: () => segments.dispose(),
    };
  }

  #forward(pixels: Tensor, places: Int32Array, context: LayerContext, recompute: boolean): Tensor {
    const { width, mergeSize } = this.config;
    return scope(() => {
      const weight = reshape(this.#patches.weight, [width, patchValues(this.config)]);
      const embedded = scope(() =>
        add(linear(pixels, weight, this.#patches.bias), embedding(this.#positions, places)),
      );
      const seen = this.#after.forward(runLayers(embedded, this.#blocks, context, { recompute }));
      // The patches of a cell stand one after another.
      const pooled = mean(reshape(seen, [-1, mergeSize ** 2, width]), { axis: 1 });
      return matmul(this.#projector.norm.forward(pooled), this.#projector.weight);
    });
  }
}
