/** JSON files of a checkpoint, from bytes. */
import { reason, TextError } from './errors.js';

/** A JSON object whose fields have not been checked. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Decodes bytes that must be UTF-8. */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new TextError(file, 'is not valid UTF-8; it is corrupt, fetch it again');
  }
}

/** Parses bytes that must be one JSON object. */
export function parseObject(bytes: Uint8Array, file: string): JsonObject {
  const text = decodeUtf8(bytes, file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.startsWith('version https://git-lfs')) {
      throw new TextError(file, 'is a git-lfs pointer, not the file itself; run git lfs pull');
    }
    throw new TextError(file, `is not valid JSON (${reason(error)})`);
  }
  if (!isObject(value)) throw new TextError(file, 'is JSON but not an object');
  return value;
}
