import { describe, expect, it } from 'vitest';
import { parameterCount, parameterSpecs } from './core/inventory.js';
import { TEXT_NAMES } from './families/common/names.js';
import { QWEN_VL_NAMES } from './families/qwen-vl/names.js';
import { ARCHITECTURES, architecture, PUBLISHED } from './init/init.js';
import { parseConfig } from './registry.js';

const hub = PUBLISHED['qwen2.5-vl-7b'] as Record<string, unknown>;
const { vision_config, rope_scaling, torch_dtype, rope_theta, ...rest } = hub;
const ids = Object.fromEntries(Object.entries(rest).filter(([key]) => /_token_id$/.test(key)));
const text = Object.fromEntries(
  Object.entries(rest).filter(([key]) => !/_token_id$|arch|model_type|tie_/.test(key)),
);
const { torch_dtype: _, ...flat } = hub;

/** The same model as five generations of software write it. */
const layouts: Record<string, Record<string, unknown>> = {
  published: hub,
  '4.45 to 4.51': {
    ...hub,
    rope_scaling: { mrope_section: [16, 24, 24], rope_type: 'default', type: 'default' },
  },
  '4.52 to 4.57': {
    ...hub,
    sliding_window: null,
    text_config: {
      ...text,
      model_type: 'qwen2_5_vl_text',
      rope_theta,
      rope_scaling: { mrope_section: [16, 24, 24], rope_type: 'default', type: 'default' },
      layer_types: Array(28).fill('full_attention'),
      image_token_id: null,
      video_token_id: null,
      vision_token_id: 1,
    },
  },
  '5.x': {
    architectures: hub.architectures,
    model_type: 'qwen2_5_vl',
    dtype: 'bfloat16',
    ...ids,
    tie_word_embeddings: false,
    text_config: {
      ...text,
      model_type: 'qwen2_5_vl_text',
      rope_parameters: { rope_type: 'default', type: 'mrope', rope_theta: 1e6, mrope_section: [16, 24, 24] },
    },
    vision_config: {
      ...(vision_config as object),
      model_type: 'qwen2_5_vl_vision',
      rope_parameters: { rope_type: 'axial', rope_theta: 10000 },
    },
  },
};

describe('config.json', () => {
  const expected = parseConfig(hub);

  it.each(Object.entries(layouts))('reads the layout %s', (_, raw) => {
    const { raw: __, ...parsed } = parseConfig(raw);
    const { raw: ___, ...wanted } = expected;
    expect(parsed).toEqual(wanted);
  });

  it('has the values of the published models', () => {
    expect(expected.text).toMatchObject({
      headDim: 128,
      kvHeads: 4,
      mropeSection: [16, 24, 24],
      tied: false,
    });
    expect(expected.vision).toMatchObject({ width: 1280, outSize: 3584, windowCells: 4, tokensPerSecond: 2 });
    expect(expected.tokens).toMatchObject({ image: 151655, video: 151656, eos: [151645] });
    expect(expected.dtype).toBe('bfloat16');
    const older = parseConfig(PUBLISHED['qwen2-vl-2b']);
    expect(older.vision).toMatchObject({
      width: 1280,
      outSize: 1536,
      intermediateSize: 5120,
      activation: 'quick_gelu',
    });
    expect(older.text).toMatchObject({ tied: true });
  });

  it('fills in what old versions left out', () => {
    const sparse = { hidden_size: 1280, in_chans: 3, spatial_patch_size: 14, tokens_per_second: 2 };
    expect(parseConfig({ ...hub, vision_config: sparse }).vision).toEqual(expected.vision);
    const { image_token_id: a, video_token_id: b, ...without } = flat as Record<string, unknown>;
    expect(parseConfig(without).tokens).toEqual(expected.tokens);
  });

  it('counts the parameters that the published models have', () => {
    const counts = Object.fromEntries(
      Object.entries(PUBLISHED).map(([name, raw]) => [name, parameterCount(parseConfig(raw))]),
    );
    expect(counts).toMatchObject({
      'qwen2-vl-2b': 2_208_985_600,
      'qwen2-vl-7b': 8_291_375_616,
      'qwen2.5-vl-3b': 3_754_622_976,
      'qwen2.5-vl-7b': 8_292_166_656,
      'qwen3-vl-2b': 2_127_532_032,
      'qwen3-vl-4b': 4_437_815_808,
      'qwen3-vl-8b': 8_767_123_696,
      'qwen2.5-0.5b': 494_032_768,
      'qwen3-0.6b': 596_049_920,
      'qwen3-1.7b': 1_720_574_976,
      'qwen3-4b': 4_022_468_096,
      'qwen3-8b': 8_190_735_360,
      'gemma3-270m': 268_098_176,
      'gemma3-1b': 999_885_952,
      'medgemma-4b': 4_300_079_472,
      'medgemma-27b-text': 27_009_002_240,
      'smollm2-135m': 134_515_008,
    });
    const tensors = (name: string) => parameterSpecs(parseConfig(PUBLISHED[name])).length;
    expect([tensors('qwen2-vl-7b'), tensors('qwen2.5-vl-3b'), tensors('qwen2.5-vl-7b')]).toEqual([
      730, 824, 729,
    ]);
  });

  it('makes every architecture that init offers', () => {
    for (const arch of ARCHITECTURES)
      expect(parseConfig(architecture(arch).raw).text.layers).toBeGreaterThan(0);
  });

  it.each([
    [{ model_type: 'gpt2' }, /model_type "gpt2"; supported are qwen2_vl/],
    [{ hidden_size: undefined }, /"hidden_size" is missing; expected a positive integer/],
    [{ hidden_size: -1 }, /"hidden_size" is -1/],
    [{ num_hidden_layers: 1e9 }, /"num_hidden_layers" is 1000000000; expected at most 1024/],
    [{ vision_config: { depth: 1e9 } }, /"vision_config.depth" is 1000000000; expected at most 1024/],
    [{ vision_config: { patch_size: 4096 } }, /"vision_config.patch_size" is 4096; expected at most 256/],
    [{ vocab_size: 1e9 }, /"vocab_size" is 1000000000; expected at most 16777216/],
    [{ hidden_size: Array(1000).fill(1) }, /"hidden_size" is a list of 1000; expected a positive integer/],
    [{ use_sliding_window: true }, /only full attention/],
    [{ rope_scaling: { type: 'yarn' } }, /rope type "yarn" is not supported/],
    [{ rope_scaling: { type: 'mrope', mrope_section: [1, 2, 3] } }, /add up to half of head_dim, 64/],
    [{ vision_config: null }, /without "vision_config"/],
    [{ vision_config: [] }, /"vision_config" is not an object/],
    [{ num_key_value_heads: 3 }, /not a multiple of its 3 key heads/],
    [{ hidden_act: 'relu' }, /"hidden_act" is "relu"; expected one of silu/],
    [
      { hidden_size: 1792, num_attention_heads: 14, num_key_value_heads: 2 },
      /features of 3584, but the decoder is 1792 wide/,
    ],
  ])('refuses %j', (change, message) => {
    expect(() => parseConfig({ ...hub, ...change })).toThrow(message as RegExp);
  });

  it('reads Llama 3 scaling', () => {
    const rope = {
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const llama = { ...PUBLISHED['smollm2-135m'], rope_scaling: rope };
    expect(parseConfig(llama).text).toMatchObject({
      llama3: { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 },
    });
  });
});

describe('weight names', () => {
  it.each([
    ['model.layers.3.mlp.up_proj.weight', 'model.layers.3.mlp.up_proj.weight'],
    ['model.language_model.layers.3.mlp.up_proj.weight', 'model.layers.3.mlp.up_proj.weight'],
    ['language_model.layers.3.mlp.up_proj.weight', 'model.layers.3.mlp.up_proj.weight'],
    ['layers.0.input_layernorm.weight', 'model.layers.0.input_layernorm.weight'],
    ['model.language_model.norm.weight', 'model.norm.weight'],
    ['norm.weight', 'model.norm.weight'],
    ['model.embed_tokens.weight', 'model.embed_tokens.weight'],
    ['visual.blocks.0.attn.qkv.bias', 'visual.blocks.0.attn.qkv.bias'],
    ['model.visual.merger.mlp.0.weight', 'visual.merger.mlp.0.weight'],
    ['lm_head.weight', 'lm_head.weight'],
    ['model.layers.0.self_attn.rotary_emb.inv_freq', null],
    ['transformer.h.0.weight', null],
  ])('%s is %s', (name, canonical) => expect(QWEN_VL_NAMES.canonical(name)).toBe(canonical));

  it('goes to the layout in memory and back', () => {
    for (const { name } of parameterSpecs(parseConfig(hub))) {
      expect(QWEN_VL_NAMES.canonical(QWEN_VL_NAMES.memory(name))).toBe(name);
    }
    const up = 'layers.0.mlp.up_proj';
    expect(QWEN_VL_NAMES.memory(`model.${up}`)).toBe(`model.language_model.${up}`);
    expect(TEXT_NAMES.memory(`model.${up}`)).toBe(`model.${up}`);
  });
});
