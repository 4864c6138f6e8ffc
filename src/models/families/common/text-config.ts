/** What the configs of all families of today have in common. */

import type { TorchFloat } from '../../../tensor/index.js';
import { QWEN_VL_TEMPLATE } from '../../../text/default-templates.js';
import type { LayerBuilder } from '../../core/builder.js';
import type { ModelConfig, ModelLayers, PictureText, TokenIds } from '../../core/config.js';
import type { Family } from '../../core/family.js';
import type { VisionConfig } from '../../core/grid.js';
import type { JsonObject } from '../../core/json-fields.js';
import type { WeightNames } from '../../core/names.js';
import {
  type Axes,
  countedPositions,
  type SequenceMedia,
  type SequencePositions,
} from '../../core/positions.js';
import { buildDecoder, type DecoderConfig } from './decoder.js';
import { TEXT_NAMES } from './names.js';
import { type ConfigSource, storedDtype, tokenIds } from './source.js';

/** What a family found in a file. */
export interface ConfigParts<Text, Vision> {
  readonly text: Text;
  readonly vision: Vision;
  /** The chat template of checkpoints that come without one; that of Qwen2-VL by default. */
  readonly chatTemplate?: string;
  /** Ids of tokens where the file names none. */
  readonly defaultTokens?: Partial<TokenIds>;
}

/** What families with this decoder have in common; those that see add to it. */
export abstract class DecoderModelConfig<
  Text extends DecoderConfig,
  Vision extends VisionConfig | null = null,
> implements ModelConfig
{
  readonly family: Family;
  readonly text: Text;
  readonly vision: Vision;
  readonly tokens: TokenIds;
  readonly dtype: TorchFloat;
  readonly raw: JsonObject;
  readonly chatTemplate: string;

  constructor(family: Family, source: ConfigSource, parts: ConfigParts<Text, Vision>) {
    this.family = family;
    this.text = parts.text;
    this.vision = parts.vision;
    this.tokens = { ...parts.defaultTokens, ...tokenIds(source) };
    this.dtype = storedDtype(source);
    this.raw = source.raw;
    this.chatTemplate = parts.chatTemplate ?? QWEN_VL_TEMPLATE;
  }

  get names(): WeightNames {
    return TEXT_NAMES;
  }

  /** What stands around a picture's tokens; chat templates say it by default. */
  get pictureText(): PictureText | undefined {
    return undefined;
  }

  /** Makes the layers. */
  build(build: LayerBuilder): ModelLayers {
    return { tower: null, decoder: buildDecoder(this.text, build) };
  }

  /** Positions that count up. */
  positions(ids: ArrayLike<number>, media?: SequenceMedia): SequencePositions {
    return countedPositions(ids, media);
  }

  abstract rotaryAngles(positions: Axes): readonly Float32Array[];
}
