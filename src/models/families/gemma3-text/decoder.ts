/**
 * The decoder: norms before and after attention and MLP, all of them around one; norms on queries and keys; embeddings times
 * the root of their width.
 */
import { GroupedAttention } from '../../../nn/attention.js';
import { GatedMlp } from '../../../nn/mlp.js';
import { TransformerLayer } from '../../../nn/transformer.js';
import { type DType, decode, encode } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import type { AttentionRule } from '../../core/config.js';
import { Decoder } from '../../core/decoder.js';
import type { DecoderConfig } from '../common/decoder.js';
import type { Rope } from './rotary.js';

/** What is known of it. */
export interface Gemma3Text extends DecoderConfig {
  /** The kind of each layer. */
  readonly kinds: readonly number[];
  /** How positions turn, by kind of layer. */
  readonly ropes: readonly [sliding: Rope, full: Rope];
  readonly attention: readonly AttentionRule[];
}

/** What a decoder's weights are called: what stands before all names, and the head, where it has weights of its own. */
export interface DecoderNames {
  readonly root: string;
  readonly head: string;
}

/** Builds it. */
export function buildGemma3(c: Gemma3Text, build: LayerBuilder, { root, head: own }: DecoderNames): Decoder {
  const table = [c.vocabSize, c.hiddenSize];
  const embeddings = build.parameter(`${root}.embed_tokens.weight`, table, 'embedding');
  const layers = c.kinds.map((kind, layer) =>
    buildLayer(c, build, `${root}.layers.${layer}`, { layer, kind }),
  );
  const norm = build.rmsNorm(`${root}.norm`, c.hiddenSize, { eps: c.rmsNormEps, aroundOne: true });
  const head = c.tied ? embeddings : build.parameter(own, table, 'matrix');
  const embeddingScale = rounded(Math.sqrt(c.hiddenSize), embeddings.dtype);
  return new Decoder({ embeddings, head, layers, norm, embeddingScale });
}

/** The factor on embeddings has their precision: 50.5 in bf16 for a width of 2560. */
function rounded(x: number, dtype: DType): number {
  return decode(encode([x], dtype), dtype)[0];
}

function buildLayer(
  c: Gemma3Text,
  build: LayerBuilder,
  path: string,
  place: { readonly layer: number; readonly kind: number },
): TransformerLayer {
  const D = c.hiddenSize;
  const I = c.intermediateSize;
  const all = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  const norm = (name: string, width = D) =>
    build.rmsNorm(`${path}.${name}`, width, { eps: c.rmsNormEps, aroundOne: true });
  const attend = (name: string, inputs: number, outputs: number, bias: boolean, stack?: string) =>
    build.linear(`${path}.self_attn.${name}_proj`, inputs, outputs, bias, stack);
  const feed = (name: string, inputs: number, outputs: number, stack?: string) =>
    build.linear(`${path}.mlp.${name}_proj`, inputs, outputs, c.mlpBias, stack);
  const qkv = `${path}.self_attn.qkv`;
  const gateUp = `${path}.mlp.gate_up`;
  // In the order of the forward pass, which is that of the inventory.
  const norm1 = norm('input_layernorm');
  const projections = {
    q: attend('q', D, all, c.qkvBias, qkv),
    k: attend('k', D, kv, c.qkvBias, qkv),
    v: attend('v', D, kv, c.qkvBias, qkv),
    o: attend('o', all, D, c.outputBias),
  };
  const headNorms = { q: norm('self_attn.q_norm', c.headDim), k: norm('self_attn.k_norm', c.headDim) };
  const attention = new GroupedAttention(place, projections, c.headDim, headNorms);
  const after1 = norm('post_attention_layernorm');
  const norm2 = norm('pre_feedforward_layernorm');
  const mlp = new GatedMlp(feed('gate', D, I, gateUp), feed('up', D, I, gateUp), feed('down', I, D), 'geglu');
  return new TransformerLayer({
    norm1,
    attention,
    after1,
    norm2,
    mlp,
    after2: norm('post_feedforward_layernorm'),
  });
}
