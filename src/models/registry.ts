/** From `model_type` to a family's room. */
import type { ModelConfig } from './core/config.js';
import { modelError } from './core/errors.js';
import { FAMILIES, type Family } from './core/family.js';
import type { JsonObject } from './core/json-fields.js';
import { gemma3 } from './families/gemma3/index.js';
import { gemma3Text } from './families/gemma3-text/index.js';
import { llama } from './families/llama/index.js';
import { qwen2 } from './families/qwen2/index.js';
import { qwen25Vl } from './families/qwen2.5-vl/index.js';
import { qwen2Vl } from './families/qwen2-vl/index.js';
import { qwen3 } from './families/qwen3/index.js';
import { qwen3Vl } from './families/qwen3-vl/index.js';
import type { FamilyRoom } from './families/room.js';

/** The rooms, one for each family. */
export const ROOMS = {
  qwen2_5_vl: qwen25Vl,
  qwen2_vl: qwen2Vl,
  qwen3_vl: qwen3Vl,
  qwen2,
  qwen3,
  gemma3,
  gemma3_text: gemma3Text,
  llama,
} as const satisfies Record<Family, FamilyRoom>;

/** The room of a raw config; `file` is named in errors. */
export function roomOf(raw: JsonObject, file: string): FamilyRoom {
  const type = raw.model_type;
  if (typeof type === 'string' && Object.hasOwn(ROOMS, type)) return ROOMS[type as Family];
  const known = Object.keys(FAMILIES).join(', ');
  throw modelError(file, `has model_type ${JSON.stringify(type)}; supported are ${known}`);
}

/** Normalises a parsed config.json; `file` is named in errors. */
export function parseConfig(raw: JsonObject, file = 'config.json'): ModelConfig {
  return roomOf(raw, file).parse(raw, file);
}
