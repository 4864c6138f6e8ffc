/**
 * What a `config.json` says about a model, in one shape whatever wrote it: flat files as published, files saved again by
 * transformers 4.45 to 4.51, nested ones with repeated fields (4.52 to 4.57), nested ones (5.x), text-only models.
 */

import { type VisionConfig, visionConfig } from '../families/qwen-vl/vision-config.js';
import { modelError } from './errors.js';
import { asObject, Fields, type JsonObject } from './json-fields.js';

/** Families that can be loaded. */
export const FAMILIES = ['qwen2_vl', 'qwen2_5_vl', 'qwen2', 'llama'] as const;
/** See {@link FAMILIES}. */
export type Family = (typeof FAMILIES)[number];

/** Frequency scaling of Llama 3.1 and later. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositions: number;
}

/** The text decoder. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  /** The embedding is the output head too. */
  readonly tied: boolean;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** How the rotary frequencies are shared out to time, height and width; null for one-dimensional positions. */
  readonly mropeSection: readonly [number, number, number] | null;
  readonly llama3: Llama3Scaling | null;
  /** Whether the projections to queries, keys and values have a bias. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly maxPositions: number;
}

/** Ids that mean something to the model; absent where the config has none. */
export interface TokenIds {
  readonly image?: number;
  readonly video?: number;
  readonly visionStart?: number;
  readonly visionEnd?: number;
  readonly visionPad?: number;
  readonly bos?: number;
  readonly eos: readonly number[];
  readonly pad?: number;
}

/** Storage types a config may name. */
export type StoredDtype = 'float32' | 'float16' | 'bfloat16';

/** A model's configuration. */
export interface ModelConfig {
  readonly family: Family;
  readonly text: TextConfig;
  readonly vision: VisionConfig | null;
  readonly tokens: TokenIds;
  readonly dtype: StoredDtype;
  /** The file as it was, to be saved with the weights. */
  readonly raw: JsonObject;
}

/** Normalises a parsed config.json; `file` is named in errors. */
export function parseConfig(raw: JsonObject, file = 'config.json'): ModelConfig {
  const family = familyOf(raw, file);
  const nested = asObject(raw.text_config, file, 'text_config');
  const fields = new Fields(file, [nested, raw]);
  const multimodal = family === 'qwen2_vl' || family === 'qwen2_5_vl';
  const text = textConfig(fields, family, file, raw, nested);
  const visionRaw = asObject(raw.vision_config, file, 'vision_config');
  if (multimodal && !visionRaw) throw modelError(file, `is a ${family} model without "vision_config"`);
  const vision = multimodal ? visionConfig(family, visionRaw as JsonObject, file) : null;
  if (vision && vision.outSize !== text.hiddenSize) {
    const sizes = `${vision.outSize}, but the decoder is ${text.hiddenSize} wide`;
    throw modelError(file, `says that the vision tower gives features of ${sizes}`);
  }
  const tokens = { ...(multimodal ? imageIds(text.vocabSize) : {}), ...tokenIds(raw, nested, file) };
  return { family, text, vision, tokens, dtype: dtypeOf(raw, nested), raw };
}

function familyOf(raw: JsonObject, file: string): Family {
  const type = raw.model_type;
  const found = FAMILIES.find((family) => family === type);
  if (found) return found;
  throw modelError(file, `has model_type ${JSON.stringify(type)}; supported are ${FAMILIES.join(', ')}`);
}

function textConfig(
  fields: Fields,
  family: Family,
  file: string,
  raw: JsonObject,
  nested: JsonObject | undefined,
): TextConfig {
  const llama = family === 'llama';
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
  if (fields.raw('head_dim') === undefined && hiddenSize % heads !== 0) {
    throw modelError(
      file,
      `has a hidden size of ${hiddenSize}, not a multiple of its ${heads} heads, and no head_dim`,
    );
  }
  const headDim = fields.count('head_dim', hiddenSize / heads);
  const rope = ropeConfig(fields, family, headDim, file);
  // 5.x keeps it at the root, 4.5x may keep it in text_config: either says yes.
  const tied = [raw, nested].some((layer) => layer?.tie_word_embeddings === true);
  return {
    hiddenSize,
    layers: fields.count('num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    intermediateSize: fields.count('intermediate_size'),
    vocabSize: fields.count('vocab_size'),
    tied,
    rmsNormEps: fields.positive('rms_norm_eps', llama ? 1e-6 : 1e-5),
    ...rope,
    qkvBias: llama ? fields.flag('attention_bias', false) : true,
    outputBias: llama ? fields.flag('attention_bias', false) : false,
    mlpBias: llama ? fields.flag('mlp_bias', false) : false,
    maxPositions: fields.count('max_position_embeddings', llama ? 2048 : 32768),
  };
}

function ropeConfig(
  fields: Fields,
  family: Family,
  headDim: number,
  file: string,
): Pick<TextConfig, 'ropeTheta' | 'mropeSection' | 'llama3'> {
  const parameters = asObject(
    fields.raw('rope_parameters') ?? fields.raw('rope_scaling'),
    file,
    'rope_parameters',
  );
  const rope = new Fields(file, [parameters], 'rope_parameters.');
  const ropeTheta = rope.positive(
    'rope_theta',
    fields.positive('rope_theta', family === 'llama' ? 1e4 : 1e6),
  );
  const type = rope.raw('rope_type') ?? rope.raw('type') ?? 'default';
  const multimodal = family === 'qwen2_vl' || family === 'qwen2_5_vl';
  if (type === 'llama3' && family === 'llama') {
    const llama3 = {
      factor: rope.positive('factor'),
      lowFreqFactor: rope.positive('low_freq_factor'),
      highFreqFactor: rope.positive('high_freq_factor'),
      originalMaxPositions: rope.count('original_max_position_embeddings'),
    };
    return { ropeTheta, mropeSection: null, llama3 };
  }
  if (type !== 'default' && !(type === 'mrope' && multimodal)) {
    const kinds = 'default, mrope and, for llama, llama3';
    throw modelError(
      `${file}: rope type ${JSON.stringify(type)}`,
      `is not supported; supported are ${kinds}`,
    );
  }
  if (headDim % 2 !== 0)
    throw modelError(file, `has a head_dim of ${headDim}; rotary positions need an even one`);
  if (!multimodal) return { ropeTheta, mropeSection: null, llama3: null };
  const section = rope.integers('mrope_section', [16, 24, 24]);
  if (section.length !== 3 || section[0] + section[1] + section[2] !== headDim / 2) {
    const expected = `three numbers that add up to half of head_dim, ${headDim / 2}`;
    throw modelError(`${file}: "mrope_section"`, `is ${JSON.stringify(section)}; expected ${expected}`);
  }
  return { ropeTheta, mropeSection: [section[0], section[1], section[2]], llama3: null };
}

/** Class defaults, which files saved again by old versions leave out. */
function imageIds(vocab: number): Partial<TokenIds> {
  return vocab > 151656 ? { image: 151655, video: 151656, visionStart: 151652, visionEnd: 151653 } : {};
}

/** The root decides: text_config repeats these ids, some of them as null or with class defaults. */
function tokenIds(raw: JsonObject, nested: JsonObject | undefined, file: string): TokenIds {
  const fields = new Fields(file, [raw, nested]);
  const eosRaw = fields.raw('eos_token_id');
  const eos = Array.isArray(eosRaw)
    ? fields.integers('eos_token_id', [])
    : [fields.id('eos_token_id')].filter((id) => id !== undefined);
  const ids = {
    image: fields.id('image_token_id'),
    video: fields.id('video_token_id'),
    visionStart: fields.id('vision_start_token_id'),
    visionEnd: fields.id('vision_end_token_id'),
    visionPad: fields.id('vision_token_id'),
    bos: fields.id('bos_token_id'),
    pad: fields.id('pad_token_id'),
  };
  return { ...Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined)), eos };
}

function dtypeOf(raw: JsonObject, nested: JsonObject | undefined): StoredDtype {
  const value = raw.dtype ?? raw.torch_dtype ?? nested?.dtype ?? nested?.torch_dtype;
  const known = ['float32', 'float16', 'bfloat16'] as const;
  return known.find((dtype) => dtype === value) ?? 'bfloat16';
}
