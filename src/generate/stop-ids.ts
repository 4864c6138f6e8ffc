/** Which ids end a completion, as a checkpoint's files say. */

import { JsonProblem, parseJsonObject } from '../formats/json.js';
import type { ModelConfig } from '../models/core/config.js';
import { modelError } from '../models/core/errors.js';
import { folderReader } from '../platform/files.js';

/**
 * End ids of a checkpoint: those of `generation_config.json`, which for chat models names more than `config.json` does, and
 * those of `config.json`, and the tokenizer's own (base models end texts with another id than chat templates end turns).
 */
export async function loadStopIds(
  dir: string,
  config: ModelConfig,
  tokenizer?: { readonly eosId: number | undefined },
): Promise<number[]> {
  const name = 'generation_config.json';
  const bytes = await folderReader(dir)(name);
  const ids = new Set(config.tokens.eos);
  if (tokenizer?.eosId !== undefined) ids.add(tokenizer.eosId);
  if (bytes) for (const id of idsOf(bytes, `${dir}/${name}`)) ids.add(id);
  return [...ids];
}

function idsOf(bytes: Uint8Array, file: string): number[] {
  let value: unknown;
  try {
    value = parseJsonObject(bytes).eos_token_id;
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw modelError(file, error.message);
  }
  const list = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  if (list.every((id): id is number => Number.isInteger(id) && id >= 0)) return list;
  throw modelError(file, `has eos_token_id ${JSON.stringify(value)}; expected a token id or a list of them`);
}
