/** What is known of a model before its weights are loaded. */
import type { TorchFloat } from '../../tensor/index.js';
import type { LayerBuilder } from './builder.js';
import type { Decoder } from './decoder.js';
import type { Family } from './family.js';
import type { VisionConfig } from './grid.js';
import type { JsonObject } from './json-fields.js';
import type { WeightNames } from './names.js';
import type { Axes, SequenceMedia, SequencePositions } from './positions.js';
import type { Tower } from './tower.js';

/** The text decoder, seen from outside. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
}

/** Ids that mean something to the model; absent where the config has none. */
export interface TokenIds {
  readonly image?: number;
  readonly video?: number;
  readonly visionStart?: number;
  readonly visionEnd?: number;
  readonly visionPad?: number;
  readonly bos?: number;
  readonly eos: readonly number[];
  readonly pad?: number;
}

/** The layers of a model. */
export interface ModelLayers {
  readonly tower: Tower | null;
  readonly decoder: Decoder;
}

/** A model's configuration: its sizes, and what its family does in a way of its own. */
export interface ModelConfig {
  readonly family: Family;
  readonly text: TextConfig;
  readonly vision: VisionConfig | null;
  readonly tokens: TokenIds;
  readonly dtype: TorchFloat;
  /** The file as it was, to be saved with the weights. */
  readonly raw: JsonObject;
  readonly names: WeightNames;
  /** The chat template of checkpoints that come without one. */
  readonly chatTemplate: string;
  /** Makes the layers, in the order of the forward pass. */
  build(build: LayerBuilder): ModelLayers;
  /** Positions of unpadded token ids. */
  positions(ids: ArrayLike<number>, media?: SequenceMedia): SequencePositions;
  /** Rotary angles [T, headDim / 2] of the decoder, by kind of layer. */
  rotaryAngles(positions: Axes): readonly Float32Array[];
}
