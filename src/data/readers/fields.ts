/** Checked access to the fields of a record. */
import { describe, quote } from '../../formats/quote.js';
import { DataError, type Place } from '../errors.js';
import { pathProblem } from '../images.js';
import { type ImageSource, letterAt } from '../question.js';

/** A record of a file, its place and what is known of all records there. */
export interface RecordContext extends Place {
  readonly line: number;
  readonly root: string;
  /** Names of what is in the root, for formats that name pictures by what is below one of its folders. */
  readonly beside: ReadonlySet<string>;
  /** Values of fields that records lack. */
  readonly defaults: {
    readonly modality?: string;
    readonly question_type?: string;
    readonly dataset?: string;
  };
}

/** A record before it is checked. */
export type Raw = Readonly<Record<string, unknown>>;

/** Throws what is wrong with a field. */
export function fail(at: RecordContext, field: string | undefined, problem: string): never {
  throw new DataError({ file: at.file, line: at.line, ...(field === undefined ? {} : { field }) }, problem);
}

/** A text that may be missing; null and '' count as missing, which is how tables write it. */
export function optionalText(raw: Raw, field: string, at: RecordContext): string | undefined {
  const value = raw[field];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') fail(at, field, `must be text, not ${describe(value)}`);
  return value;
}

/** A text that must be there. */
export function requiredText(raw: Raw, field: string, at: RecordContext): string {
  const value = optionalText(raw, field, at);
  if (value === undefined || value.trim() === '') fail(at, field, 'is missing or empty');
  return value;
}

/** The record's id: text or a whole number; by default the file's name and the line, which no other record has. */
export function idOf(raw: Raw, field: string, at: RecordContext): string {
  const value = raw[field];
  if (value === undefined || value === null || value === '')
    return `${at.file.split(/[/\\]/).at(-1)}:${at.line}`;
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)))
    return String(value);
  return fail(at, field, `must be text or a whole number, not ${describe(value)}`);
}

/** The pictures in `image` or `images`. */
export function imagesOfRecord(raw: Raw, at: RecordContext, required = true): ImageSource[] {
  const [one, many] = [raw.image ?? undefined, raw.images ?? undefined];
  if (one !== undefined && many !== undefined) fail(at, 'images', 'stands beside image; give one of the two');
  if (many !== undefined) {
    if (!Array.isArray(many)) fail(at, 'images', `must be a list, not ${describe(many)}`);
    return many.map((value: unknown, i) => imageOf(value, `images.${i}`, at));
  }
  if (one !== undefined) {
    // Med-R1's and LLaMA-Factory's users also write lists under `image`.
    if (Array.isArray(one)) return one.map((value: unknown, i) => imageOf(value, `image.${i}`, at));
    return [imageOf(one, 'image', at)];
  }
  if (required) fail(at, 'image', 'is missing; give a path, or images: [] for a question without a picture');
  return [];
}

/** A picture: a path, or Hugging Face's `{bytes, path}`. */
export function imageOf(value: unknown, field: string, at: RecordContext): ImageSource {
  if (typeof value === 'string') {
    const problem = pathProblem(value);
    if (problem !== undefined) fail(at, field, `${problem}: ${quote(value)}`);
    return value;
  }
  if (value instanceof Uint8Array) return embedded(value, undefined, field, at);
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const { bytes, path } = value as { bytes?: unknown; path?: unknown };
    if (bytes instanceof Uint8Array) {
      return embedded(bytes, typeof path === 'string' && path !== '' ? path : undefined, field, at);
    }
    if (typeof path === 'string') return imageOf(path, `${field}.path`, at);
  }
  return fail(at, field, `must be a path, not ${describe(value)}`);
}

/** A picture that a record names below a folder: the first of these that there is, or else the root itself. */
export function imageIn(
  folders: readonly string[],
  value: unknown,
  field: string,
  at: RecordContext,
): ImageSource {
  const folder = folders.find((name) => at.beside.has(name));
  const inside = typeof value === 'string' && !folders.some((name) => value.startsWith(`${name}/`));
  return imageOf(folder !== undefined && inside ? `${folder}/${value}` : value, field, at);
}

function embedded(
  bytes: Uint8Array,
  path: string | undefined,
  field: string,
  at: RecordContext,
): ImageSource {
  if (bytes.length === 0) fail(at, field, 'has no bytes');
  return { bytes, name: path ?? `${at.file.split(/[/\\]/).at(-1)}:${at.line}:${field}` };
}

/** Options by letter, from a map `{A: ...}` or a list; letters without text (tables pad with null) are dropped. */
export function optionsOf(value: unknown, field: string, at: RecordContext): Record<string, string> {
  const entries = Array.isArray(value)
    ? value.map((text: unknown, i): [string, unknown] => [letterAt(i), text])
    : value !== null && typeof value === 'object'
      ? Object.entries(value)
      : fail(
          at,
          field,
          value === undefined ? 'is missing' : `must be a map or a list, not ${describe(value)}`,
        );
  if (entries.length > 26) fail(at, field, `has ${entries.length} entries; at most 26 have letters`);
  const isMap = !Array.isArray(value);
  const options: Record<string, string> = {};
  for (const [letter, text] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!/^[A-Z]$/.test(letter)) fail(at, `${field}.${letter}`, 'is not one of the letters A to Z');
    if (isMap && (text === null || text === undefined || text === '')) continue;
    if (typeof text !== 'string' || text.trim() === '') {
      fail(at, `${field}.${letter}`, `must be text, not ${describe(text)}`);
    }
    options[letter] = text;
  }
  if (Object.keys(options).length < 2) fail(at, field, 'has fewer than two options');
  return options;
}

/** The letter that an answer means when letters are the rule and option texts are allowed. */
export function answerLetter(
  answer: string,
  options: Readonly<Record<string, string>>,
  field: string,
  at: RecordContext,
): string {
  const letter = answer.trim().toUpperCase();
  if (Object.hasOwn(options, letter)) return letter;
  return answerByText(answer, options, field, at);
}

/** The letter of the option with a text. */
export function answerByText(
  answer: string,
  options: Readonly<Record<string, string>>,
  field: string,
  at: RecordContext,
): string {
  for (const same of [
    (text: string) => text === answer,
    (text: string) => text.trim().toLowerCase() === answer.trim().toLowerCase(),
  ]) {
    const found = Object.keys(options).filter((letter) => same(options[letter] as string));
    if (found.length === 1) return found[0] as string;
    if (found.length > 1) fail(at, field, `${quote(answer)} is the text of options ${found.join(' and ')}`);
  }
  return fail(
    at,
    field,
    `${quote(answer)} is neither a letter nor the text of an option (${Object.keys(options).join(', ')})`,
  );
}

/** The fields of a record that no schema names. */
export function extraOf(raw: Raw, known: ReadonlySet<string>): { extra?: Record<string, unknown> } {
  const extra = Object.fromEntries(
    Object.entries(raw).filter(([key, value]) => !known.has(key) && value !== undefined && value !== null),
  );
  return Object.keys(extra).length === 0 ? {} : { extra };
}

/** Only the entries that have a value. */
export function present<T extends Record<string, unknown>>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
