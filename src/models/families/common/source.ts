/**
 * Where a config.json keeps things, whatever wrote it: flat files as published, files saved again by transformers 4.45 to
 * 4.51, nested ones with repeated fields (4.52 to 4.57), nested ones (5.x), text-only models.
 */
import { TORCH_FLOATS, type TorchFloat } from '../../../tensor/index.js';
import type { TokenIds } from '../../core/config.js';
import { modelError } from '../../core/errors.js';
import { asObject, Fields, type JsonObject } from '../../core/json-fields.js';

/** A file to be read. */
export interface ConfigSource {
  readonly file: string;
  readonly raw: JsonObject;
  /** `text_config`, where there is one. */
  readonly nested: JsonObject | undefined;
  /** Fields of the decoder, wherever they are. */
  readonly fields: Fields;
}

/** Opens a file. */
export function configSource(raw: JsonObject, file: string): ConfigSource {
  const nested = asObject(raw.text_config, file, 'text_config');
  return { file, raw, nested, fields: new Fields(file, [nested, raw]) };
}

/** The root decides: text_config repeats these ids, some of them as null or with class defaults. */
export function tokenIds({ raw, nested, file }: ConfigSource): TokenIds {
  const fields = new Fields(file, [raw, nested]);
  const eosRaw = fields.raw('eos_token_id');
  const eos = Array.isArray(eosRaw)
    ? fields.integers('eos_token_id', [])
    : [fields.id('eos_token_id')].filter((id) => id !== undefined);
  const ids = {
    image: fields.id('image_token_id'),
    video: fields.id('video_token_id'),
    visionStart: fields.id('vision_start_token_id'),
    visionEnd: fields.id('vision_end_token_id'),
    visionPad: fields.id('vision_token_id'),
    bos: fields.id('bos_token_id'),
    pad: fields.id('pad_token_id'),
  };
  return { ...Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined)), eos };
}

/** The storage type that a file names; bfloat16 where it names none that we know. */
export function storedDtype({ raw, nested }: ConfigSource): TorchFloat {
  const value = raw.dtype ?? raw.torch_dtype ?? nested?.dtype ?? nested?.torch_dtype;
  return TORCH_FLOATS.find((dtype) => dtype === value) ?? 'bfloat16';
}

/** How positions turn. */
export interface RopeSource {
  readonly theta: number;
  readonly type: string;
  readonly fields: Fields;
}

/** Finds `rope_parameters`, or what older files have in its place; refuses types that are not in `known`. */
export function ropeSource(
  { file, fields }: ConfigSource,
  theta: number,
  known: readonly string[],
): RopeSource {
  const found = fields.raw('rope_parameters') ?? fields.raw('rope_scaling');
  const rope = new Fields(file, [asObject(found, file, 'rope_parameters')], 'rope_parameters.');
  const type = rope.raw('rope_type') ?? rope.raw('type') ?? 'default';
  if (typeof type !== 'string' || !known.includes(type)) {
    throw modelError(
      `${file}: rope type ${JSON.stringify(type)}`,
      `is not supported; this family may have ${known.join(' or ')}`,
    );
  }
  return { theta: rope.positive('rope_theta', fields.positive('rope_theta', theta)), type, fields: rope };
}
