/** The part of a config.json about the tower. */
import { modelError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json-fields.js';
import { type SharedVision, sharedVision, type VisionDefaults, visionFields } from '../qwen-vl/vision.js';

/** A tower with learned positions beside the rotary ones, which hands on what some of its blocks give. */
export interface Qwen3Vision extends SharedVision {
  readonly intermediateSize: number;
  readonly activation: (typeof ACTIVATIONS)[number];
  /** Width of the features. */
  readonly outSize: number;
  /** Entries of the table of positions, and along a side of it. */
  readonly positions: number;
  readonly positionSide: number;
  /** Blocks after which features are taken, a merger for each. */
  readonly deepstack: readonly number[];
}

const DEFAULTS: VisionDefaults = {
  depth: 27,
  patch: 16,
  pictures: {
    exactSize: null,
    filter: 'bicubic',
    panAndScan: null,
    minPixels: 65536,
    maxPixels: 16777216,
    rescaleFactor: 1 / 255,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
};
const ACTIVATIONS = ['gelu_pytorch_tanh', 'gelu', 'silu', 'quick_gelu'] as const;
/** Far more than a published table has. */
const MOST_POSITIONS = 2 ** 20;

/** Reads `vision_config`. */
export function qwen3Vision(raw: JsonObject, file: string): Qwen3Vision {
  const fields = visionFields(raw, file);
  const shared = sharedVision(fields, fields.count('hidden_size', 1152), file, DEFAULTS);
  const positions = fields.count('num_position_embeddings', 2304, MOST_POSITIONS);
  const deepstack = fields.integers('deepstack_visual_indexes', [8, 16, 24]);
  const missing = deepstack.find((block) => block >= shared.depth);
  if (missing !== undefined) {
    const depth = `but the tower has ${shared.depth}, counted from 0`;
    throw modelError(`${file}: "vision_config.deepstack_visual_indexes"`, `names block ${missing}, ${depth}`);
  }
  return {
    ...shared,
    intermediateSize: fields.count('intermediate_size', 4304),
    activation: fields.word('hidden_act', ACTIVATIONS, 'gelu_pytorch_tanh'),
    outSize: fields.count('out_hidden_size', 3584),
    positions,
    positionSide: Math.floor(Math.sqrt(positions)),
    deepstack,
  };
}
