/** The text decoder: Qwen2, Qwen2.5, the decoders of the VL models, and Llama-style models. */
import { type AttentionContext, GroupedAttention } from '../../nn/attention.js';
import { GatedMlp } from '../../nn/mlp.js';
import type { Norm } from '../../nn/norm.js';
import { runLayers, TransformerLayer } from '../../nn/transformer.js';
import { scope, type Tensor } from '../../tensor/index.js';
import type { LayerBuilder } from './builder.js';
import type { TextConfig } from './config.js';

/** A stack of decoder layers and the final norm. */
export class Decoder {
  readonly config: TextConfig;
  readonly layers: readonly TransformerLayer[];
  readonly norm: Norm;

  constructor(config: TextConfig, build: LayerBuilder) {
    this.config = config;
    this.layers = Array.from({ length: config.layers }, (_, i) => {
      const path = `model.layers.${i}`;
      const projection = (name: string) => build.linear(`${path}.self_attn.${name}_proj`);
      const [q, k, v, o] = ['q', 'k', 'v', 'o'].map(projection);
      const [gate, up, down] = ['gate', 'up', 'down'].map((name) => build.linear(`${path}.mlp.${name}_proj`));
      return new TransformerLayer(
        build.norm(`${path}.input_layernorm`, config.rmsNormEps),
        new GroupedAttention(i, { q, k, v, o }, config.headDim),
        build.norm(`${path}.post_attention_layernorm`, config.rmsNormEps),
        new GatedMlp(gate, up, down),
      );
    });
    this.norm = build.norm('model.norm', config.rmsNormEps);
  }

  /** Embedded tokens [T, width] to normed hidden states [T, width]. */
  forward(x: Tensor, context: AttentionContext, recompute = false): Tensor {
    return scope(() => this.norm.forward(runLayers(x, this.layers, () => context, recompute)));
  }
}
