/** Configs of Gemma 3 models that see, MedGemma among them: the decoder, and a tower whose features stand in pictures' places. */
import type { LayerBuilder } from '../../core/builder.js';
import type { ModelLayers, PictureText, TokenIds } from '../../core/config.js';
import { modelError } from '../../core/errors.js';
import { gridTokens } from '../../core/grid.js';
import { asObject, type JsonObject } from '../../core/json-fields.js';
import type { WeightNames } from '../../core/names.js';
import {
  type Axes,
  countedPositions,
  type SequenceMedia,
  type SequencePositions,
} from '../../core/positions.js';
import type { ConfigSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { gemma3Angles, gemma3Source, gemma3Text } from '../gemma3-text/config.js';
import { buildGemma3, type Gemma3Text } from '../gemma3-text/decoder.js';
import { GEMMA3_TEMPLATE } from '../gemma3-text/template.js';
import { DECODER, GEMMA3_NAMES, HEAD } from './names.js';
import { GEMMA3_PICTURES } from './picture-text.js';
import { SiglipTower } from './tower.js';
import { type SiglipVision, siglipVision } from './vision.js';

class Gemma3Config extends DecoderModelConfig<Gemma3Text, SiglipVision> {
  override get names(): WeightNames {
    return GEMMA3_NAMES;
  }

  override build(build: LayerBuilder): ModelLayers {
    const tower = new SiglipTower(this.vision, this.text.hiddenSize, build);
    return { tower, decoder: buildGemma3(this.text, build, { root: DECODER, head: HEAD }) };
  }

  override get pictureText(): PictureText {
    return GEMMA3_PICTURES;
  }

  /** Positions count up through pictures, too. */
  override positions(ids: ArrayLike<number>, { images = [], videos }: SequenceMedia = {}): SequencePositions {
    const { image } = this.tokens;
    const placeholders = Array.from(ids).filter((id) => id === image).length;
    const needed = images.reduce((sum, grid) => sum + gridTokens(grid, this.vision.mergeSize), 0);
    if (placeholders !== needed) {
      throw modelError(
        'the sequence',
        `has ${placeholders} placeholder tokens, but its ${images.length} images take ${needed}`,
      );
    }
    return countedPositions(ids, videos ? { videos } : {});
  }

  rotaryAngles(positions: Axes): readonly Float32Array[] {
    return gemma3Angles(this.text, positions);
  }
}

/** Reads a config.json. */
export function parseGemma3(raw: JsonObject, file: string): Gemma3Config {
  const source = gemma3Source(raw, file);
  const text = gemma3Text(source);
  const visionRaw = asObject(raw.vision_config, file, 'vision_config');
  if (!visionRaw) throw modelError(file, 'is a gemma3 model without "vision_config"');
  const vision = siglipVision(visionRaw, source.fields.count('mm_tokens_per_image', 256), file);
  return new Gemma3Config('gemma3', source, {
    text: { ...text, wholePictures: true },
    vision,
    chatTemplate: GEMMA3_TEMPLATE,
    defaultTokens: imageIds(source),
  });
}

/** The ids around a picture and in its place, which have names of their own here. */
function imageIds({ fields }: ConfigSource): Partial<TokenIds> {
  return {
    image: fields.id('image_token_index') ?? 262144,
    visionStart: fields.id('boi_token_index') ?? 255999,
    visionEnd: fields.id('eoi_token_index') ?? 256000,
  };
}
