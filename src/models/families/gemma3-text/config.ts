/** Configs of Gemma 3, and of the decoder of the models that see. */
import type { LayerBuilder } from '../../core/builder.js';
import type { ModelLayers } from '../../core/config.js';
import { modelError } from '../../core/errors.js';
import { asObject, Fields, type JsonObject } from '../../core/json-fields.js';
import type { Axes } from '../../core/positions.js';
import { decoderConfig } from '../common/decoder.js';
import { type ConfigSource, configSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { buildGemma3, type Gemma3Text } from './decoder.js';
import { type Rope, stretchedAngles } from './rotary.js';
import { GEMMA3_TEMPLATE } from './template.js';

/** Kinds of layers: those that look back on a window, and those that look back on everything. */
export const SLIDING = 0;
/** See {@link SLIDING}. */
export const FULL = 1;

/** What files leave out where it equals the class's default, as the published ones do. */
const DEFAULTS: JsonObject = {
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  vocab_size: 262208,
  sliding_window: 4096,
  query_pre_attn_scalar: 256,
  sliding_window_pattern: 6,
};

/** Ids of tokens in files that do not name them. */
const IDS: JsonObject = { bos_token_id: 2, eos_token_id: 1, pad_token_id: 0 };

const LAYER_TYPES = ['sliding_attention', 'full_attention'] as const;

class Gemma3TextConfig extends DecoderModelConfig<Gemma3Text> {
  override build(build: LayerBuilder): ModelLayers {
    return { tower: null, decoder: buildGemma3(this.text, build, { root: 'model', head: 'lm_head.weight' }) };
  }

  rotaryAngles(positions: Axes): readonly Float32Array[] {
    return gemma3Angles(this.text, positions);
  }
}

/** Reads a config.json. */
export function parseGemma3Text(raw: JsonObject, file: string): Gemma3TextConfig {
  const source = gemma3Source(raw, file);
  return new Gemma3TextConfig('gemma3_text', source, {
    text: gemma3Text(source),
    vision: null,
    chatTemplate: GEMMA3_TEMPLATE,
  });
}

/** Opens a file; what it leaves out is there all the same. */
export function gemma3Source(raw: JsonObject, file: string): ConfigSource {
  const { nested } = configSource(raw, file);
  const own = nested && Object.fromEntries(Object.entries(nested).filter(([, value]) => value !== null));
  return { file, raw, nested: { ...IDS, ...own }, fields: new Fields(file, [own, raw, DEFAULTS]) };
}

/** Reads the decoder. */
export function gemma3Text(source: ConfigSource): Gemma3Text {
  const { file, fields, raw, nested } = source;
  for (const field of ['attn_logit_softcapping', 'final_logit_softcapping']) {
    const value = fields.raw(field);
    if (value !== undefined)
      throw modelError(
        `${file}: "${field}"`,
        `is ${JSON.stringify(value)}, which no Gemma 3 has; set it to null`,
      );
  }
  if (fields.flag('use_bidirectional_attention', false)) {
    throw modelError(
      `${file}: "use_bidirectional_attention"`,
      'is true, as in models that embed texts; only such as write them are supported',
    );
  }
  fields.word('hidden_activation', ['gelu_pytorch_tanh'], 'gelu_pytorch_tanh');
  const bias = fields.flag('attention_bias', false);
  const ropes = ropesOf(source);
  const text = decoderConfig(source, {
    rmsNormEps: 1e-6,
    maxPositions: 131072,
    ropeTheta: ropes[FULL].theta,
    qkvBias: bias,
    outputBias: bias,
    mlpBias: false,
    headNorms: true,
  });
  const scale = fields.positive('query_pre_attn_scalar') ** -0.5;
  return {
    ...text,
    tied: (raw.tie_word_embeddings ?? nested?.tie_word_embeddings ?? true) === true,
    kinds: layerKinds(source, text.layers),
    ropes,
    attention: [{ window: fields.count('sliding_window'), scale }, { scale }],
  };
}

/** A list, or every so many layers one that sees everything. */
function layerKinds({ file, fields }: ConfigSource, layers: number): readonly number[] {
  const types = fields.raw('layer_types');
  if (types === undefined) {
    const every = fields.count('sliding_window_pattern');
    return Array.from({ length: layers }, (_, i) => ((i + 1) % every === 0 ? FULL : SLIDING));
  }
  const kinds = Array.isArray(types) ? types.map((type) => LAYER_TYPES.indexOf(type)) : [];
  if (kinds.length !== layers || kinds.includes(-1)) {
    const expected = `${layers} of ${LAYER_TYPES.join(' and ')}, one for each layer`;
    throw modelError(`${file}: "layer_types"`, `is ${JSON.stringify(types)}; expected ${expected}`);
  }
  return kinds;
}

/** By kind in `rope_parameters`; older files have a second theta, and in `rope_scaling` what is for full layers alone. */
function ropesOf({ file, fields }: ConfigSource): readonly [sliding: Rope, full: Rope] {
  const newer = asObject(fields.raw('rope_parameters'), file, 'rope_parameters');
  const read = (field: string, section: unknown, theta: number): Rope => {
    const rope = new Fields(file, [asObject(section, file, field)], `${field}.`);
    const type = rope.raw('rope_type') ?? rope.raw('type') ?? 'default';
    if (type !== 'default' && type !== 'linear') {
      throw modelError(
        `${file}: rope type ${JSON.stringify(type)}`,
        'is not supported; this family may have default or linear',
      );
    }
    const factor = type === 'linear' ? rope.positive('factor') : 1;
    return { theta: rope.positive('rope_theta', theta), factor };
  };
  const local = fields.positive('rope_local_base_freq', 1e4);
  const global = fields.positive('rope_theta', 1e6);
  return [
    read('rope_parameters.sliding_attention', newer?.sliding_attention, local),
    newer
      ? read('rope_parameters.full_attention', newer.full_attention, global)
      : read('rope_scaling', fields.raw('rope_scaling'), global),
  ];
}

/** Angles of both kinds of layers. */
export function gemma3Angles({ headDim, ropes }: Gemma3Text, [time]: Axes): readonly Float32Array[] {
  return ropes.map((rope) => stretchedAngles(time, headDim, rope));
}
