/** The part of a config.json about the tower (SigLIP), and how its pictures are cut. */
import type { ImageConfig } from '../../../vision/config.js';
import { modelError } from '../../core/errors.js';
import type { VisionConfig } from '../../core/grid.js';
import { Fields, type JsonObject } from '../../core/json-fields.js';

/** A tower for pictures of one size; what it gives for neighbouring patches is averaged. */
export interface SiglipVision extends VisionConfig {
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly normEps: number;
  /** Patches along a side of a picture. */
  readonly side: number;
}

/** What published settings of pictures say; those of a file may differ. */
const PICTURES: Omit<ImageConfig, 'exactSize' | 'patchSize' | 'mergeSize' | 'temporalPatchSize'> = {
  filter: 'bilinear',
  panAndScan: null,
  minPixels: 1,
  maxPixels: 2 ** 24,
  rescaleFactor: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/** Far more than a patch has of pixels or channels, or a picture of pixels, along a side. */
const MOST_PATCH = 256;
const MOST_SIDE = 4096;

/** Reads `vision_config`; `tokens` is how many of them a picture takes. Files leave out what equals the class's defaults. */
export function siglipVision(raw: JsonObject, tokens: number, file: string): SiglipVision {
  const fields = new Fields(file, [raw], 'vision_config.');
  fields.word('hidden_act', ['gelu_pytorch_tanh'], 'gelu_pytorch_tanh');
  const width = fields.count('hidden_size', 768);
  const heads = fields.count('num_attention_heads', 12);
  if (width % heads !== 0 || (width / heads) % 4 !== 0) {
    const need = 'the width of a head must be a multiple of 4';
    throw modelError(`${file}: vision_config`, `has a width of ${width} and ${heads} heads; ${need}`);
  }
  const pixels = fields.count('image_size', 224, MOST_SIDE);
  const patchSize = fields.count('patch_size', 16, MOST_PATCH);
  const side = pixels / patchSize;
  const cells = Math.sqrt(tokens);
  if (!Number.isInteger(side) || !Number.isInteger(cells) || side % cells !== 0) {
    const found = `pictures of ${pixels} pixels in patches of ${patchSize} for ${tokens} tokens`;
    throw modelError(file, `has ${found}; neighbouring patches must make up the tokens, in a square`);
  }
  const cut = { patchSize, mergeSize: side / cells, temporalPatchSize: 1 };
  return {
    depth: fields.layers('num_hidden_layers', 12),
    width,
    heads,
    intermediateSize: fields.count('intermediate_size', 3072),
    normEps: fields.positive('layer_norm_eps', 1e-6),
    channels: fields.count('num_channels', 3, MOST_PATCH),
    side,
    ...cut,
    pictures: { ...PICTURES, ...cut, exactSize: { height: pixels, width: pixels } },
  };
}
