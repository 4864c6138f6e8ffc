/** Configs as several generations of software write them, positions, names; from transformers 5.18. */
import { describe, expect, it } from 'vitest';
import { packGroups } from '../../core/packing.js';
import { architecture, PUBLISHED } from '../../init/init.js';
import { parseConfig } from '../../registry.js';
import { GEMMA3_NAMES } from './names.js';

const hub = PUBLISHED['medgemma-4b'];
const text = hub.text_config as Record<string, unknown>;
const tower = hub.vision_config as Record<string, unknown>;
const config = parseConfig(hub);
const IMAGE = 262144;

describe('config.json', () => {
  it('is read as it is published, without what is as it is by default', () => {
    expect(config).toMatchObject({
      dtype: 'bfloat16',
      text: {
        layers: 34,
        heads: 8,
        kvHeads: 4,
        headDim: 256,
        vocabSize: 262208,
        tied: true,
        maxPositions: 131072,
        wholePictures: true,
        ropes: [
          { theta: 1e4, factor: 1 },
          { theta: 1e6, factor: 8 },
        ],
        attention: [{ window: 1024, scale: 1 / 16 }, { scale: 1 / 16 }],
      },
      vision: { side: 64, mergeSize: 4, temporalPatchSize: 1, pictures: { exactSize: { height: 896 } } },
      tokens: { image: IMAGE, visionStart: 255999, visionEnd: 256000, bos: 2, eos: [1, 106], pad: 0 },
    });
    const { kinds } = config.text as unknown as { kinds: number[] };
    expect(kinds.flatMap((kind, i) => (kind === 1 ? [i] : []))).toEqual([5, 11, 17, 23, 29]);
  });

  it('is read as transformers 5 writes it', () => {
    const { rope_scaling: _, ...own } = text;
    const saved = {
      ...hub,
      tie_word_embeddings: true,
      text_config: {
        ...own,
        attn_logit_softcapping: null,
        bos_token_id: 2,
        eos_token_id: 1,
        layer_types: Array.from({ length: 34 }, (_, i) =>
          (i + 1) % 6 === 0 ? 'full_attention' : 'sliding_attention',
        ),
        pad_token_id: 0,
        rope_parameters: {
          full_attention: { factor: 8, rope_theta: 1000000, rope_type: 'linear' },
          sliding_attention: { rope_theta: 10000, rope_type: 'default' },
        },
        use_bidirectional_attention: false,
        vocab_size: 262208,
      },
    };
    const { raw: _raw, ...found } = parseConfig(saved);
    expect(found).toEqual({ ...config, raw: undefined });
  });

  it('may be of a text model, or one of our own with a tokenizer made for it', () => {
    const alone = parseConfig(PUBLISHED['medgemma-27b-text']);
    expect(alone.text).toMatchObject({ headDim: 128, attention: [{ window: 1024, scale: 168 ** -0.5 }, {}] });
    expect([alone.names.embedding, alone.vision]).toEqual(['model.embed_tokens.weight', null]);
    const { raw, files } = architecture({ ...hub, dtype: 'bfloat16' });
    expect(parseConfig(raw).tokens).toMatchObject({ image: 8, visionStart: 6, eos: [1, 5] });
    expect(parseConfig(raw).text.vocabSize).toBe(416);
    expect(files['chat_template.jinja']).toBe(config.chatTemplate);
  });

  it.each([
    [{ vision_config: undefined }, /is a gemma3 model without "vision_config"/],
    [{ mm_tokens_per_image: 200 }, /in patches of 14 for 200 tokens; neighbouring patches/],
    [{ vision_config: { ...tower, hidden_act: 'gelu' } }, /"vision_config.hidden_act" is "gelu"/],
    [
      { text_config: { ...text, layer_types: ['full_attention'] } },
      /expected 34 of sliding_attention and full/,
    ],
    [{ text_config: { ...text, rope_scaling: { rope_type: 'yarn' } } }, /rope type "yarn" is not supported/],
    [{ text_config: { ...text, final_logit_softcapping: 30 } }, /is 30, which no Gemma 3 has/],
    [{ text_config: { ...text, use_bidirectional_attention: true } }, /as in models that embed texts/],
  ])('is refused with %j', (change, message) => {
    expect(() => parseConfig({ ...hub, ...change })).toThrow(message);
  });
});

describe('a prompt with a picture', () => {
  const prompt = [2, 105, 255999, ...Array(256).fill(IMAGE), 256000, 7];
  const images = [[1, 64, 64]] as const;

  it('is cut where the picture is, whose tokens see one another; completions see all of it', () => {
    const packed = packGroups(config, [{ prompt: { ids: prompt, images }, completions: [[5, 106], [9]] }]);
    expect(packed.segments).toEqual([
      { start: 0, end: 3 },
      { start: 3, end: 259, whole: true, prefixStart: 0, prefixEnd: 3 },
      { start: 259, end: 261, prefixStart: 0, prefixEnd: 259 },
      { start: 261, end: 263, prefixStart: 0, prefixEnd: 261 },
      { start: 263, end: 264, prefixStart: 0, prefixEnd: 261 },
    ]);
    expect([...packed.positions[1].slice(258)]).toEqual([258, 259, 260, 261, 262, 261]);
    expect(packed.featureRows).toHaveLength(256);
  });

  it('has a placeholder for each of its tokens', () => {
    expect(() => config.positions(prompt)).toThrow(/has 256 placeholder tokens, but its 0 images take 0/);
    expect(() => config.positions([5], { videos: [[2, 64, 64]] })).toThrow(/no placeholder tokens for 1/);
  });
});

it.each([
  [
    'model.vision_tower.encoder.layers.0.mlp.fc1.bias',
    'vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias',
  ],
  ['vision_tower.vision_model.post_layernorm.weight', 'vision_tower.vision_model.post_layernorm.weight'],
  ['model.multi_modal_projector.mm_soft_emb_norm.weight', 'multi_modal_projector.mm_soft_emb_norm.weight'],
  [
    'model.language_model.layers.0.self_attn.q_norm.weight',
    'language_model.model.layers.0.self_attn.q_norm.weight',
  ],
  ['language_model.model.norm.weight', 'language_model.model.norm.weight'],
  ['lm_head.weight', 'language_model.lm_head.weight'],
])('the weight %s is %s', (name, canonical) => {
  expect(GEMMA3_NAMES.canonical(name)).toBe(canonical);
  expect(GEMMA3_NAMES.canonical(GEMMA3_NAMES.memory(canonical))).toBe(canonical);
  expect(GEMMA3_NAMES.part(canonical)).toBe(
    name.includes('projector') ? 'merger' : name.includes('tower') ? 'vision_tower' : 'language_model',
  );
});
