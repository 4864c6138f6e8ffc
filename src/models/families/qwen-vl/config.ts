/** Configs of the Qwen-VL models: a Qwen2 decoder with positions in three dimensions, and a tower. */
import { sectionedRotaryAngles } from '../../../kernels/rotary.js';
import type { LayerBuilder } from '../../core/builder.js';
import type { ModelLayers, TokenIds } from '../../core/config.js';
import { modelError } from '../../core/errors.js';
import type { Family } from '../../core/family.js';
import { asObject, type JsonObject } from '../../core/json-fields.js';
import type { WeightNames } from '../../core/names.js';
import type { Axes, SequenceMedia, SequencePositions } from '../../core/positions.js';
import { buildDecoder, type DecoderConfig } from '../common/decoder.js';
import { type ConfigSource, configSource, type RopeSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { qwen2Text } from '../qwen2/config.js';
import { QWEN_VL_NAMES } from './names.js';
import { multimodalPositions } from './positions.js';
import { QwenTower, type TowerDesign } from './tower.js';
import type { QwenVision } from './vision.js';

/** What differs from generation to generation. */
export interface Generation {
  readonly family: Family;
  readonly design: TowerDesign;
  /** Reads `vision_config`. */
  vision(raw: JsonObject, file: string): QwenVision;
}

interface QwenVlText extends DecoderConfig {
  /** How the rotary frequencies are shared out to time, height and width. */
  readonly mropeSection: readonly [number, number, number];
}

class QwenVlConfig extends DecoderModelConfig<QwenVlText, QwenVision> {
  readonly #design: TowerDesign;

  constructor(generation: Generation, source: ConfigSource, text: QwenVlText, vision: QwenVision) {
    super(generation.family, source, { text, vision, defaultTokens: defaultIds(text.vocabSize) });
    this.#design = generation.design;
  }

  override get names(): WeightNames {
    return QWEN_VL_NAMES;
  }

  override build(build: LayerBuilder): ModelLayers {
    const tower = new QwenTower(this.vision, this.#design, build);
    return { tower, decoder: buildDecoder(this.text, build) };
  }

  override positions(ids: ArrayLike<number>, media?: SequenceMedia): SequencePositions {
    const { image, video } = this.tokens;
    return multimodalPositions({ ...this.vision, image, video }, ids, media);
  }

  rotaryAngles(positions: Axes): readonly Float32Array[] {
    const tokens = positions[0].length;
    const rows = new Int32Array(3 * tokens);
    positions.forEach((axis, i) => {
      rows.set(axis, i * tokens);
    });
    return [sectionedRotaryAngles(rows, this.text.mropeSection, this.text.ropeTheta)];
  }
}

/** Reads a config.json. */
export function parseQwenVl(generation: Generation, raw: JsonObject, file: string): QwenVlConfig {
  const source = configSource(raw, file);
  const text = qwenVlText(source);
  const visionRaw = asObject(raw.vision_config, file, 'vision_config');
  if (!visionRaw) throw modelError(file, `is a ${generation.family} model without "vision_config"`);
  const vision = generation.vision(visionRaw, file);
  if (vision.outSize !== text.hiddenSize) {
    const sizes = `${vision.outSize}, but the decoder is ${text.hiddenSize} wide`;
    throw modelError(file, `says that the vision tower gives features of ${sizes}`);
  }
  return new QwenVlConfig(generation, source, text, vision);
}

function qwenVlText(source: ConfigSource): QwenVlText {
  const { text, rope } = qwen2Text(source, ['default', 'mrope']);
  return { ...text, mropeSection: mropeSection(source, rope, text.headDim, [16, 24, 24]) };
}

/** How a file shares out the rotary frequencies to time, height and width. */
export function mropeSection(
  { file }: ConfigSource,
  rope: RopeSource,
  headDim: number,
  fallback: readonly [number, number, number],
): readonly [number, number, number] {
  const section = rope.fields.integers('mrope_section', fallback);
  if (section.length !== 3 || section[0] + section[1] + section[2] !== headDim / 2) {
    const expected = `three numbers that add up to half of head_dim, ${headDim / 2}`;
    throw modelError(`${file}: "mrope_section"`, `is ${JSON.stringify(section)}; expected ${expected}`);
  }
  return [section[0], section[1], section[2]];
}

/** Class defaults, which files saved again by old versions leave out. */
export function defaultIds(vocab: number): Partial<TokenIds> {
  return vocab > 151656 ? { image: 151655, video: 151656, visionStart: 151652, visionEnd: 151653 } : {};
}
