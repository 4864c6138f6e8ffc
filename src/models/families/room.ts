/**
 * Families: a room for each `model_type`, `families/<family>/`, with all that is particular to it: how its config.json is
 * read, its weight names and parts, how its decoder and tower are made of layers, its positions, and what `osler init`
 * needs (published shapes, miniatures, tokenizer, picture settings). Nothing outside asks which family a model is: whoever
 * holds a `ModelConfig` asks it.
 *
 * The cut: a room is as wide as a `model_type`, for that is what a file names and what differs. What families really share
 * stands once, in a room without a `model_type`: `common/` is the decoder of RMSNorms, grouped attention and SwiGLU with
 * its names and fields (Llama and every Qwen of today), `qwen-vl/` the tower with its merger, the positions in three
 * dimensions and the names of models that see with a Qwen2 decoder. Qwen2-VL and Qwen2.5-VL hand it what differs, a norm
 * and an MLP, instead of being told apart in it. Qwen3-VL has a tower of its own, and shares with them how images stand in
 * one. A family that changes the decoder more builds its own of `core/` and `nn/`, as it would with a tower; Gemma 3 does
 * both. What holds where files do not say (chat template, settings of pictures, added tokens) is the family's as well.
 *
 * To add one: its line in `core/family.ts`, its room, and its entry in `registry.ts`, which does not compile without.
 */
import type { BuiltTokenizer } from '../../text/byte-tokenizer.js';
import type { Merge } from '../../text/learn-merges.js';
import type { ModelConfig } from '../core/config.js';
import type { JsonObject } from '../core/json-fields.js';

/** Ids that a tokenizer gave to the special tokens. */
export type SpecialIds = Readonly<Record<string, number>>;

/** Sizes of architectures that are not published ones. */
export const MINIATURE_SIZES = ['tiny', 'small'] as const;
/** See {@link MINIATURE_SIZES}. */
export type MiniatureSize = (typeof MINIATURE_SIZES)[number];

/** A published architecture, ready to be made with random weights. */
export interface Blueprint {
  readonly raw: JsonObject;
  readonly tokenizer: BuiltTokenizer;
}

/** What it takes to make a checkpoint of the family with random weights. */
export interface InitRoom {
  /** Raw configs of published models, by the name that `osler init --arch` takes. */
  readonly published: Readonly<Record<string, JsonObject>>;
  /** A published config, and a tokenizer whose special tokens have the ids that it names. */
  blueprint(name: string): Blueprint;
  /** What follows the size in the name of a miniature. */
  readonly miniatureName: string;
  /** The raw config of a miniature for a vocabulary. */
  miniature(size: MiniatureSize, vocab: number, ids: SpecialIds): JsonObject;
  /** The tokenizer of miniatures and of configs that a user gave. */
  tokenizer(merges: readonly Merge[]): BuiltTokenizer;
  /** A config that a user gave, with the vocabulary and the token ids of that tokenizer. */
  fitted(raw: JsonObject, vocab: number, ids: SpecialIds): JsonObject;
  /** Further files of a checkpoint, by name: how it wants its pictures. */
  files(config: ModelConfig): Readonly<Record<string, JsonObject>>;
}

/** A family. */
export interface FamilyRoom {
  /** Normalises a parsed config.json; `file` is named in errors. */
  parse(raw: JsonObject, file: string): ModelConfig;
  readonly init: InitRoom;
}
