/** Writing a randomly initialised checkpoint: weights, config, tokenizer and what else a model folder has. */

import { writeCheckpoint } from '../../formats/checkpoint-writer.js';
import { writeTextFiles } from '../../platform/files.js';
import type { TorchFloat } from '../../tensor/index.js';
import type { Merge } from '../../text/learn-merges.js';
import type { ParameterSpec } from '../core/builder.js';
import type { ModelConfig } from '../core/config.js';
import { modelError } from '../core/errors.js';
import { parameterCount, parameterSpecs } from '../core/inventory.js';
import type { JsonObject } from '../core/json-fields.js';
import { type InitRoom, MINIATURE_SIZES, type MiniatureSize, type SpecialIds } from '../families/room.js';
import { ROOMS, roomOf } from '../registry.js';
import { randomWeight } from './random-weights.js';

const rooms: readonly InitRoom[] = Object.values(ROOMS).map(({ init }) => init);

/** Raw configs of published models by name, in the layout in which they are published. */
export const PUBLISHED: Readonly<Record<string, JsonObject>> = Object.assign(
  {},
  ...rooms.map(({ published }) => published),
);

/** Names that {@link initModel} takes; the size of a miniature alone means the first family's. */
export const ARCHITECTURES: readonly string[] = [
  ...MINIATURE_SIZES.flatMap((size) => [size, ...rooms.map((room) => `${size}-${room.miniatureName}`)]),
  ...Object.keys(PUBLISHED),
];

/** Options of {@link initModel}. */
export interface InitOptions {
  /** One of {@link ARCHITECTURES}, or a config.json of one's own, whose vocabulary size and token ids are filled in. */
  readonly arch: string | JsonObject;
  readonly seed: number;
  /** Merges of the tokenizer, for architectures that are not published ones; it spells bytes otherwise. */
  readonly merges?: readonly Merge[];
  /** Dtype of the weights; the architecture's own by default. */
  readonly dtype?: TorchFloat;
  readonly maxShardBytes?: number;
  /** Called as each tensor's turn comes. */
  readonly onProgress?: (progress: { readonly parametersDone: number; readonly parameters: number }) => void;
}

/** Miniature vocabularies are rounded up to this, as published ones are. */
const VOCAB_STEP = 32;

/** A raw config and the tokenizer files that go with it. */
export interface Architecture {
  readonly raw: JsonObject;
  readonly files: Readonly<Record<string, string>>;
}

/** What {@link InitOptions.arch} means. */
export function architecture(arch: string | JsonObject, merges: readonly Merge[] = []): Architecture {
  if (typeof arch !== 'string') {
    const { init } = roomOf(arch, 'the config');
    return withTokenizer(init, merges, (vocab, ids) => init.fitted(arch, vocab, ids));
  }
  const published = rooms.find((room) => Object.hasOwn(room.published, arch));
  if (published) {
    if (merges.length > 0) throw modelError(`architecture "${arch}"`, 'has a tokenizer of its own');
    const { raw, tokenizer } = published.blueprint(arch);
    return { raw, files: tokenizer.files };
  }
  const { room, size } = miniature(arch);
  return withTokenizer(room, merges, (vocab, ids) => room.miniature(size, vocab, ids));
}

function withTokenizer(
  room: InitRoom,
  merges: readonly Merge[],
  config: (vocab: number, ids: SpecialIds) => JsonObject,
): Architecture {
  const { size, ids, files } = room.tokenizer(merges);
  return { raw: config(Math.ceil(size / VOCAB_STEP) * VOCAB_STEP, ids), files };
}

/** The family and size that a name such as `tiny-llama` means. */
function miniature(name: string): { room: InitRoom; size: MiniatureSize } {
  for (const size of MINIATURE_SIZES) {
    if (name === size) return { room: rooms[0], size };
    const room = rooms.find(({ miniatureName }) => name === `${size}-${miniatureName}`);
    if (room) return { room, size };
  }
  throw modelError(`architecture "${name}"`, `is not known; known are ${ARCHITECTURES.join(', ')}`);
}

/** Writes the folder; equal options give equal bytes. */
export async function initModel(dir: string, options: InitOptions): Promise<ModelConfig> {
  if (!Number.isSafeInteger(options.seed) || options.seed < 0) {
    throw modelError('the seed', `is ${options.seed}; expected a non-negative integer`);
  }
  const { raw: base, files } = architecture(options.arch, options.merges);
  const raw = options.dtype ? { ...base, dtype: undefined, torch_dtype: options.dtype } : base;
  const name = typeof options.arch === 'string' ? options.arch : 'the config';
  const room = roomOf(raw, name);
  const config = room.parse(raw, name);
  const deviation = typeof raw.initializer_range === 'number' ? raw.initializer_range : 0.02;
  const parameters = parameterCount(config);
  let parametersDone = 0;
  const source = (spec: ParameterSpec) => {
    const weight = randomWeight(spec, options.seed, config.dtype, deviation);
    return {
      ...weight,
      data: () => {
        options.onProgress?.({ parametersDone, parameters });
        parametersDone += spec.shape.reduce((n, d) => n * d, 1);
        return weight.data();
      },
    };
  };
  await writeCheckpoint(dir, parameterSpecs(config).map(source), { maxShardBytes: options.maxShardBytes });
  options.onProgress?.({ parametersDone, parameters });
  const own = { 'generation_config.json': generationSettings(config), ...room.init.files(config) };
  const texts = Object.entries({ ...own, 'config.json': raw }).map(([name, value]) => [name, json(value)]);
  await writeTextFiles(dir, { ...files, ...Object.fromEntries(texts) });
  return config;
}

function generationSettings({ tokens }: ModelConfig): JsonObject {
  const { bos, eos, pad = bos } = tokens;
  const stop = [...new Set([...eos, ...(pad === undefined ? [] : [pad])])];
  return { bos_token_id: bos, eos_token_id: stop, pad_token_id: pad, do_sample: false };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
