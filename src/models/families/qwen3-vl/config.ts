/** Configs of Qwen3-VL: a Qwen3 decoder with positions in three dimensions, which is given features at several depths. */
import { addRows } from '../../../autograd/index.js';
import type { Tensor } from '../../../tensor/index.js';
import type { LayerBuilder } from '../../core/builder.js';
import type { ModelLayers } from '../../core/config.js';
import type { DecoderInput } from '../../core/decoder.js';
import { modelError } from '../../core/errors.js';
import { asObject, type JsonObject } from '../../core/json-fields.js';
import type { WeightNames } from '../../core/names.js';
import type { Axes, SequenceMedia, SequencePositions } from '../../core/positions.js';
import { buildDecoder, type DecoderConfig } from '../common/decoder.js';
import { configSource, ropeSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { defaultIds, mropeSection } from '../qwen-vl/config.js';
import { multimodalPositions } from '../qwen-vl/positions.js';
import { qwen3Text } from '../qwen3/config.js';
import { DECODER, QWEN3_VL_NAMES } from './names.js';
import { interleavedRotaryAngles } from './rotary.js';
import { QWEN3_VL_TEMPLATE } from './template.js';
import { Qwen3Tower } from './tower.js';
import { type Qwen3Vision, qwen3Vision } from './vision.js';

interface Qwen3VlText extends DecoderConfig {
  /** How the rotary frequencies are shared out to time, height and width. */
  readonly mropeSection: readonly [number, number, number];
}

class Qwen3VlConfig extends DecoderModelConfig<Qwen3VlText, Qwen3Vision> {
  override get names(): WeightNames {
    return QWEN3_VL_NAMES;
  }

  override build(build: LayerBuilder): ModelLayers {
    const tower = new Qwen3Tower(this.vision, build);
    return { tower, decoder: buildDecoder(this.text, build, { root: DECODER, tap: deepstack }) };
  }

  override positions(ids: ArrayLike<number>, media: SequenceMedia = {}): SequencePositions {
    const { image, video } = this.tokens;
    const at = video === undefined ? -1 : Array.prototype.indexOf.call(ids, video);
    if (at >= 0 || (media.videos?.length ?? 0) > 0) {
      const where = at >= 0 ? `has the video placeholder ${video} at token ${at}` : 'has a video';
      throw modelError(
        'the sequence',
        `${where}; Qwen3-VL takes pictures only here: show frames as pictures`,
      );
    }
    return multimodalPositions(
      { mergeSize: this.vision.mergeSize, image, tokensPerSecond: null },
      ids,
      media,
    );
  }

  rotaryAngles(positions: Axes): readonly Float32Array[] {
    const { headDim, ropeTheta, mropeSection: section } = this.text;
    return [interleavedRotaryAngles(positions, headDim, ropeTheta, section)];
  }
}

/** After each of the first layers the features of another depth of the tower come in. */
function deepstack(h: Tensor, layer: number, { features, featureRows }: DecoderInput): Tensor {
  const more = features[layer + 1];
  return more && featureRows.length > 0 ? addRows(h, more, featureRows) : h;
}

/** Reads a config.json. */
export function parseQwen3Vl(raw: JsonObject, file: string): Qwen3VlConfig {
  const source = configSource(raw, file);
  const rope = ropeSource(source, 5e5, ['default', 'mrope']);
  const text = qwen3Text(source, rope, 128000);
  const visionRaw = asObject(raw.vision_config, file, 'vision_config');
  if (!visionRaw) throw modelError(file, 'is a qwen3_vl model without "vision_config"');
  const vision = qwen3Vision(visionRaw, file);
  if (vision.outSize !== text.hiddenSize) {
    const sizes = `${vision.outSize}, but the decoder is ${text.hiddenSize} wide`;
    throw modelError(file, `says that the vision tower gives features of ${sizes}`);
  }
  return new Qwen3VlConfig('qwen3_vl', source, {
    text: { ...text, mropeSection: mropeSection(source, rope, text.headDim, [24, 20, 20]) },
    vision,
    chatTemplate: QWEN3_VL_TEMPLATE,
    defaultTokens: defaultIds(text.vocabSize),
  });
}
