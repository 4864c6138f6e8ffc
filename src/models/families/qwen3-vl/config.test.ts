/** Configs as several generations of software write them, positions, names; from transformers 5.18. */
import { describe, expect, it } from 'vitest';
import { parameterSpecs } from '../../core/inventory.js';
import { architecture, PUBLISHED } from '../../init/init.js';
import { parseConfig } from '../../registry.js';
import { QWEN3_VL_NAMES } from './names.js';
import { bilinearTaps } from './position-embedding.js';
import { interleavedRotaryAngles } from './rotary.js';

const hub = PUBLISHED['qwen3-vl-2b'];
const text = hub.text_config as Record<string, unknown>;
const tower = hub.vision_config as Record<string, unknown>;
const config = parseConfig(hub);
const { rope_theta: _, rope_scaling: __, ...withoutRope } = text;
const IMAGE = 151655;

describe('config.json', () => {
  it('is read as transformers 5 writes it', () => {
    const saved = {
      ...hub,
      dtype: 'bfloat16',
      text_config: {
        ...withoutRope,
        pad_token_id: null,
        rope_parameters: {
          mrope_interleaved: true,
          mrope_section: [24, 20, 20],
          rope_theta: 5_000_000,
          rope_type: 'default',
        },
      },
      vision_config: {
        ...tower,
        model_type: 'qwen3_vl_vision',
        rope_parameters: { rope_theta: 10000, rope_type: 'axial' },
      },
    };
    const { raw: _, ...found } = parseConfig(saved);
    expect(found).toEqual({ ...config, raw: undefined });
    expect(found).toMatchObject({
      dtype: 'bfloat16',
      text: { headDim: 128, headNorms: true, qkvBias: false, tied: true, ropeTheta: 5e6 },
      vision: { patchSize: 16, positionSide: 48, deepstack: [5, 11, 17], pictures: { minPixels: 65536 } },
      tokens: { image: IMAGE, video: 151656, eos: [151645] },
    });
  });

  it('keeps the width of heads apart', () => {
    const four = parseConfig(PUBLISHED['qwen3-vl-4b']);
    const shapes = new Map(parameterSpecs(four).map(({ name, shape }) => [name, shape]));
    const attention = 'model.language_model.layers.35.self_attn';
    expect(shapes.get(`${attention}.q_proj.weight`)).toEqual([4096, 2560]);
    expect(shapes.get(`${attention}.o_proj.weight`)).toEqual([2560, 4096]);
    expect(shapes.get(`${attention}.k_norm.weight`)).toEqual([128]);
    expect(shapes.get('lm_head.weight')).toBeUndefined();
  });

  it('may be one of our own, with a tokenizer made for it', () => {
    const { raw, files } = architecture({ ...hub, dtype: 'bfloat16' });
    expect(parseConfig(raw).text.vocabSize).toBe(288);
    expect(parseConfig(raw).tokens).toMatchObject({ image: 268, eos: [258] });
    expect(files['chat_template.jinja']).toBe(config.chatTemplate);
  });

  it.each([
    [
      { vision_config: { ...tower, deepstack_visual_indexes: [5, 24] } },
      /names block 24, but the tower has 24/,
    ],
    [
      { vision_config: { ...tower, out_hidden_size: 4096 } },
      /features of 4096, but the decoder is 2048 wide/,
    ],
    [{ vision_config: undefined }, /is a qwen3_vl model without "vision_config"/],
    [
      { text_config: { ...text, rope_scaling: { mrope_section: [24, 20, 19] } } },
      /add up to half of head_dim/,
    ],
    [{ text_config: { ...text, rope_scaling: { rope_type: 'yarn' } } }, /rope type "yarn" is not supported/],
  ])('is refused with %j', (change, message) => {
    expect(() => parseConfig({ ...hub, ...change })).toThrow(message);
  });
});

describe('positions', () => {
  it('gives a picture three axes, and refuses videos', () => {
    const found = config.positions([5, 151652, ...Array(6).fill(IMAGE), 151653, 6], { images: [[1, 4, 6]] });
    expect([...found.axes[0]]).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 5, 6]);
    expect([...found.axes[2]]).toEqual([0, 1, 2, 3, 4, 2, 3, 4, 5, 6]);
    const refused = /the sequence has the video placeholder 151656 at token 1; Qwen3-VL takes pictures only/;
    expect(() => config.positions([5, 151656])).toThrow(refused);
    expect(() => config.positions([5], { videos: [[2, 2, 2]] })).toThrow(/has a video; .*show frames as/);
  });

  it('turn neighbouring frequencies by different axes', () => {
    const alone = (axis: number) => {
      const axes = [0, 1, 2].map((i) => Int32Array.of(i === axis ? 1 : 0));
      const angles = interleavedRotaryAngles([axes[0], axes[1], axes[2]], 128, 5e6, [24, 20, 20]);
      return [...angles.keys()].filter((i) => angles[i] !== 0);
    };
    const every = (first: number) => Array.from({ length: 20 }, (_, i) => first + 3 * i);
    expect(alone(1)).toEqual(every(1));
    expect(alone(2)).toEqual(every(2));
    expect(alone(0)).toEqual([...every(0), 60, 61, 62, 63]);
  });

  it('of the tower lie between entries of its table', () => {
    const taps = bilinearTaps([[1, 2, 4]], Int32Array.of(0, 0, 1), Int32Array.of(0, 1, 3), 5);
    const entries = [0, 1, 2].map((i) => taps.map(({ rows, weights }) => [rows[i], weights[i]]));
    expect(entries[0][0]).toEqual([0, 1]);
    // Column 1 of 4 is a third of the way along: entry 4 / 3.
    expect(entries[1].map(([row]) => row)).toEqual([1, 2, 6, 7]);
    expect(entries[1][1][1]).toBeCloseTo(1 / 3, 6);
    expect(entries[2].reduce((sum, [, weight]) => sum + weight, 0)).toBe(1);
    expect(entries[2][0]).toEqual([24, 1]);
  });
});

it.each([
  ['model.visual.pos_embed.weight', 'model.visual.pos_embed.weight', 'vision_tower'],
  ['visual.deepstack_merger_list.0.norm.bias', 'model.visual.deepstack_merger_list.0.norm.bias', 'merger'],
  ['language_model.norm.weight', 'model.language_model.norm.weight', 'language_model'],
  [
    'model.layers.0.self_attn.q_norm.weight',
    'model.language_model.layers.0.self_attn.q_norm.weight',
    'language_model',
  ],
  ['lm_head.weight', 'lm_head.weight', 'language_model'],
])('the weight %s is %s, of the %s', (name, canonical, part) => {
  expect(QWEN3_VL_NAMES.canonical(name)).toBe(canonical);
  expect(QWEN3_VL_NAMES.part(canonical)).toBe(part);
});
