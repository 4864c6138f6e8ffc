/** Shapes and files of checkpoints, as far as the Qwen-VL models agree on them. */
import { buildByteTokenizer } from '../../../text/byte-tokenizer.js';
import type { ModelConfig } from '../../core/config.js';
import type { JsonObject } from '../../core/json-fields.js';
import { miniatureDecoder } from '../common/miniature.js';
import { fitted, QWEN25_TOKENS, textTokenIds } from '../common/tokens.js';
import { FIRST_SPECIAL_ID, QWEN_TEXT } from '../qwen2/shapes.js';
import type { InitRoom, MiniatureSize, SpecialIds } from '../room.js';

/** What all published configs say beside the decoder's and the tower's sizes. */
export const QWEN_VL: JsonObject = {
  ...QWEN_TEXT,
  vision_start_token_id: 151652,
  vision_end_token_id: 151653,
  vision_token_id: 151654,
  image_token_id: 151655,
  video_token_id: 151656,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
};

/** How the miniatures' frequencies are shared out. */
const SECTIONS: Readonly<Record<MiniatureSize, readonly number[]>> = {
  tiny: [2, 3, 3],
  small: [8, 12, 12],
};

/** How the miniatures' pictures are cut. */
const PATCHES = { in_chans: 3, patch_size: 14, spatial_merge_size: 2, temporal_patch_size: 2 };

/** A generation's own part of its miniatures' configs. */
export interface VlShapes {
  readonly name: string;
  readonly architecture: string;
  readonly modelType: string;
  readonly published: Readonly<Record<string, JsonObject>>;
  /** Added tokens of published tokenizers beside the special ones. */
  readonly ordinary: readonly string[];
  /** Sizes of the miniatures' towers, and what follows the patch sizes. */
  readonly towers: Readonly<Record<MiniatureSize, JsonObject>>;
  readonly towerSettings: JsonObject;
}

/** Everything that `init` needs. */
export function qwenVlInit(shapes: VlShapes): InitRoom {
  return {
    published: shapes.published,
    blueprint: (name) => ({
      raw: shapes.published[name],
      tokenizer: buildByteTokenizer({ firstSpecialId: FIRST_SPECIAL_ID, ordinary: shapes.ordinary }),
    }),
    miniatureName: shapes.name,
    miniature: (size, vocab, ids) => ({
      architectures: [shapes.architecture],
      model_type: shapes.modelType,
      ...miniatureDecoder(size, vocab, ids),
      rope_scaling: { type: 'mrope', mrope_section: SECTIONS[size] },
      ...visionTokenIds(ids),
      vision_config: { ...shapes.towers[size], ...PATCHES, ...shapes.towerSettings },
    }),
    tokenizer: (merges) => buildByteTokenizer({ ordinary: QWEN25_TOKENS, merges }),
    fitted: (raw, vocab, ids) => fitted(raw, vocab, { ...textTokenIds(ids), ...visionTokenIds(ids) }),
    files: (config) => ({ 'preprocessor_config.json': pictureSettings(config) }),
  };
}

/** The ids that the config of a model that sees names. */
export function visionTokenIds(ids: SpecialIds): JsonObject {
  return {
    vision_start_token_id: ids['<|vision_start|>'],
    vision_end_token_id: ids['<|vision_end|>'],
    vision_token_id: ids['<|vision_pad|>'],
    image_token_id: ids['<|image_pad|>'],
    video_token_id: ids['<|video_pad|>'],
  };
}

function pictureSettings({ vision }: ModelConfig): JsonObject {
  return {
    image_processor_type: 'Qwen2VLImageProcessor',
    min_pixels: vision?.pictures.minPixels,
    max_pixels: vision?.pictures.maxPixels,
    patch_size: vision?.patchSize,
    temporal_patch_size: vision?.temporalPatchSize,
    merge_size: vision?.mergeSize,
    image_mean: vision?.pictures.mean,
    image_std: vision?.pictures.std,
  };
}
