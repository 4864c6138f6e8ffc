/** The decoder that the families of today share, with the weight names that all of them publish. */
import { GroupedAttention } from '../../../nn/attention.js';
import { GatedMlp } from '../../../nn/mlp.js';
import { TransformerLayer } from '../../../nn/transformer.js';
import type { LayerBuilder } from '../../core/builder.js';
import type { TextConfig } from '../../core/config.js';
import { Decoder, type DecoderParts } from '../../core/decoder.js';
import { modelError } from '../../core/errors.js';
import type { ConfigSource } from './source.js';

/** A decoder of RMSNorms, grouped attention and SwiGLU. */
export interface DecoderConfig extends TextConfig {
  readonly heads: number;
  readonly intermediateSize: number;
  /** The embedding is the output head too. */
  readonly tied: boolean;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** Whether the projections to queries, keys and values have a bias. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Whether queries and keys have norms over the width of a head. */
  readonly headNorms: boolean;
}

/** What files leave out, and a family decides. */
export interface DecoderDefaults
  extends Pick<DecoderConfig, 'ropeTheta' | 'qkvBias' | 'outputBias' | 'mlpBias'> {
  readonly rmsNormEps: number;
  readonly maxPositions: number;
  /** Width of a head; by default the heads share out the hidden size. */
  readonly headDim?: number;
  readonly headNorms?: boolean;
}

/** Reads the decoder's sizes. */
export function decoderConfig(
  { file, fields, raw, nested }: ConfigSource,
  defaults: DecoderDefaults,
): DecoderConfig {
  fields.word('hidden_act', ['silu'], 'silu');
  if (fields.flag('use_sliding_window', false)) {
    throw modelError(
      `${file}: "use_sliding_window"`,
      'is true; only full attention is supported, set it to false',
    );
  }
  const hiddenSize = fields.count('hidden_size');
  const heads = fields.count('num_attention_heads');
  const kvHeads = fields.count('num_key_value_heads', heads);
  if (heads % kvHeads !== 0) {
    throw modelError(file, `has ${heads} attention heads, not a multiple of its ${kvHeads} key heads`);
  }
  const ownHeadDim = fields.raw('head_dim') ?? defaults.headDim;
  if (ownHeadDim === undefined && hiddenSize % heads !== 0) {
    const sizes = `${hiddenSize}, not a multiple of its ${heads} heads`;
    throw modelError(file, `has a hidden size of ${sizes}, and no head_dim`);
  }
  const headDim = fields.count('head_dim', defaults.headDim ?? hiddenSize / heads);
  if (headDim % 2 !== 0) {
    throw modelError(file, `has a head_dim of ${headDim}; rotary positions need an even one`);
  }
  return {
    hiddenSize,
    layers: fields.layers('num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    intermediateSize: fields.count('intermediate_size'),
    vocabSize: fields.count('vocab_size'),
    // 5.x keeps it at the root, 4.5x may keep it in text_config: either says yes.
    tied: [raw, nested].some((layer) => layer?.tie_word_embeddings === true),
    rmsNormEps: fields.positive('rms_norm_eps', defaults.rmsNormEps),
    ropeTheta: defaults.ropeTheta,
    qkvBias: defaults.qkvBias,
    outputBias: defaults.outputBias,
    mlpBias: defaults.mlpBias,
    headNorms: defaults.headNorms ?? false,
    maxPositions: fields.count('max_position_embeddings', defaults.maxPositions),
  };
}

/** What a family adds to the decoder. */
export interface DecoderExtras {
  /** What stands before the names of its weights; `model` by default. */
  readonly root?: string;
  readonly tap?: DecoderParts['tap'];
}

/** Builds the decoder. */
export function buildDecoder(c: DecoderConfig, build: LayerBuilder, extras: DecoderExtras = {}): Decoder {
  const { hiddenSize: width } = c;
  const { root = 'model', tap } = extras;
  const norm = (path: string, size = width) => build.rmsNorm(path, size, { eps: c.rmsNormEps });
  const embeddings = build.parameter(`${root}.embed_tokens.weight`, [c.vocabSize, width], 'embedding');
  const layers = Array.from({ length: c.layers }, (_, i) => layer(c, build, `${root}.layers.${i}`, i, norm));
  const last = norm(`${root}.norm`);
  const head = c.tied ? embeddings : build.parameter('lm_head.weight', [c.vocabSize, width], 'matrix');
  return new Decoder({ embeddings, head, layers, norm: last, ...(tap && { tap }) });
}

function layer(
  c: DecoderConfig,
  build: LayerBuilder,
  path: string,
  index: number,
  norm: (path: string, size?: number) => ReturnType<LayerBuilder['rmsNorm']>,
): TransformerLayer {
  const D = c.hiddenSize;
  const I = c.intermediateSize;
  const all = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  const attend = (name: string, inputs: number, outputs: number, bias: boolean, stack?: string) =>
    build.linear(`${path}.self_attn.${name}_proj`, inputs, outputs, bias, stack);
  const feed = (name: string, inputs: number, outputs: number, stack?: string) =>
    build.linear(`${path}.mlp.${name}_proj`, inputs, outputs, c.mlpBias, stack);
  const headNorm = (name: string) => norm(`${path}.self_attn.${name}_norm`, c.headDim);
  const qkv = `${path}.self_attn.qkv`;
  const gateUp = `${path}.mlp.gate_up`;
  // In the order of the forward pass, which is that of the inventory.
  const norm1 = norm(`${path}.input_layernorm`);
  const projections = {
    q: attend('q', D, all, c.qkvBias, qkv),
    k: attend('k', D, kv, c.qkvBias, qkv),
    v: attend('v', D, kv, c.qkvBias, qkv),
    o: attend('o', all, D, c.outputBias),
  };
  const norms = c.headNorms ? { q: headNorm('q'), k: headNorm('k') } : null;
  const norm2 = norm(`${path}.post_attention_layernorm`);
  const mlp = new GatedMlp(feed('gate', D, I, gateUp), feed('up', D, I, gateUp), feed('down', I, D));
  const attention = new GroupedAttention({ layer: index, kind: 0 }, projections, c.headDim, norms);
  return new TransformerLayer({ norm1, attention, norm2, mlp });
}
