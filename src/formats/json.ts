/** JSON from untrusted files: strict UTF-8, one object, no key twice. */

import { quote } from './quote.js';

/** What is wrong with a JSON text; the caller adds the file. */
export class JsonProblem extends Error {}

/**
 * Parses bytes that must be one JSON object.
 *
 * @throws JsonProblem whose message completes the sentence "the header ...".
 */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonProblem('is not valid UTF-8');
  }
  // First, since it bounds the depth that JSON.parse would turn into objects.
  const problem = structureProblem(text);
  let value: unknown;
  try {
    if (problem !== undefined) throw new JsonProblem(problem);
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof JsonProblem) throw error;
    // V8 quotes the text around the fault, which may hold line breaks.
    const reason = error instanceof Error ? error.message.replace(/\s+/g, ' ').slice(0, 200) : String(error);
    throw new JsonProblem(`is not valid JSON (${reason})`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new JsonProblem('is JSON but not an object');
  }
  return value as Record<string, unknown>;
}

/** Headers are three deep and indexes two; real files leave room, hostile ones want millions. */
const MAX_DEPTH = 32;
/**
 * Values in one text: enough for half a million tensors in one file, some hundred times what any checkpoint has. Without
 * it a hundred megabytes of `{},{},` would become gigabytes of objects.
 */
const MAX_VALUES = 4_000_000;

/**
 * A key that occurs twice in one object, or values without end, as a sentence's predicate; otherwise `undefined`.
 *
 * `JSON.parse` keeps the last of two equal keys without a word, so a file could show one tensor to us and another to a
 * reader that keeps the first. Strings and brackets are all this looks at; `JSON.parse` judges the rest.
 */
function structureProblem(text: string): string | undefined {
  // One entry per open bracket: the keys seen in an object, undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  let keyNext = false;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      const end = stringEnd(text, i);
      const keys = open.at(-1);
      if (keyNext && keys !== undefined) {
        const key = decodeKey(text.slice(i + 1, end));
        if (keys.has(key)) return `has the key ${quote(key)} twice`;
        keys.add(key);
        keyNext = false;
      }
      i = end;
    } else if (c === 0x7b || c === 0x5b) {
      keyNext = c === 0x7b;
      open.push(keyNext ? new Set() : undefined);
      values++;
      if (open.length > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} deep`;
    } else if (c === 0x7d || c === 0x5d) {
      open.pop();
      keyNext = false;
    } else if (c === 0x2c) {
      keyNext = open.at(-1) !== undefined;
      values++;
    }
    if (values > MAX_VALUES) return `has over ${MAX_VALUES} values, which no checkpoint needs; it is corrupt`;
  }
  return undefined;
}

/** What a key's text stands for, so that `"a"` and `"\u0061"` are found equal. */
function decodeKey(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    // A bad escape: the caller's JSON.parse will say so.
    return raw;
  }
}

/** Index of the quote that closes the string opened at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1;
  return i;
}
