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

/** How the layers of one kind attend. */
export interface AttentionRule {
  /** How many tokens a token looks back on, itself among them; on all of them by default. */
  readonly window?: number | undefined;
  /** What scores are multiplied with; 1 / sqrt(headDim) by default. */
  readonly scale?: number | undefined;
}

/** The text decoder, seen from outside. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** By kind of layer; without it all layers look back on everything. */
  readonly attention?: readonly AttentionRule[];
  /** Whether the tokens of a picture see one another, and not only those before them. */
  readonly wholePictures?: boolean;
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

/** How a picture is spelled in a prompt. */
export interface PictureText {
  /** What chat templates write in its place. */
  readonly placeholder: string;
  /** What it stands for: text with one token for each view of the picture, which are itself and its crops. */
  text(views: number): string;
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
  /** What stands around a picture's tokens, where the chat template leaves that to others. */
  readonly pictureText?: PictureText | undefined;
  /** Makes the layers, in the order of the forward pass. */
  build(build: LayerBuilder): ModelLayers;
  /** Positions of unpadded token ids. */
  positions(ids: ArrayLike<number>, media?: SequenceMedia): SequencePositions;
  /** Rotary angles [T, headDim / 2] of the decoder, by kind of layer. */
  rotaryAngles(positions: Axes): readonly Float32Array[];
}
