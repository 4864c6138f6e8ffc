/** Reading typed fields out of parsed JSON, where files of several generations put them in different places. */
import { describe } from '../../formats/quote.js';
import { modelError } from './errors.js';

/** Far more than any model has, and so few that nothing that is made of two or three of them fails before it is checked. */
const MOST = 2 ** 24;
/** Layers are built before their weights are looked for. */
const MOST_LAYERS = 1024;

/** A parsed JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

/** Narrows a value to an object; null and absence become undefined. */
export function asObject(value: unknown, file: string, field: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object' && !Array.isArray(value)) return value as JsonObject;
  throw modelError(`${file}: "${field}"`, 'is not an object');
}

/** Looks fields up in several objects, the first that has a non-null value wins. */
export class Fields {
  readonly #file: string;
  readonly #layers: readonly JsonObject[];
  readonly #prefix: string;

  /** `prefix` is what messages put before a field's name, such as `vision_config.`. */
  constructor(file: string, layers: readonly (JsonObject | undefined)[], prefix = '') {
    this.#file = file;
    this.#layers = layers.filter((layer) => layer !== undefined);
    this.#prefix = prefix;
  }

  /** The raw value, or undefined. */
  raw(field: string): unknown {
    for (const layer of this.#layers) {
      const value = layer[field];
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  }

  /** A positive integer: a size. */
  count(field: string, fallback?: number, most = MOST): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0) {
      throw this.#fail(field, value, 'a positive integer');
    }
    if (value > most) throw this.#fail(field, value, `at most ${most}`);
    return value;
  }

  /** How many layers there are. */
  layers(field: string, fallback?: number): number {
    return this.count(field, fallback, MOST_LAYERS);
  }

  /** A finite positive number. */
  positive(field: string, fallback?: number): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
      throw this.#fail(field, value, 'a positive number');
    }
    return value;
  }

  /** true or false. */
  flag(field: string, fallback: boolean): boolean {
    const value = this.raw(field) ?? fallback;
    if (typeof value !== 'boolean') throw this.#fail(field, value, 'true or false');
    return value;
  }

  /** One of a set of words. */
  word<T extends string>(field: string, allowed: readonly T[], fallback?: T): T {
    const value = this.raw(field) ?? fallback;
    const found = allowed.find((word) => word === value);
    if (found === undefined) throw this.#fail(field, value, `one of ${allowed.join(', ')}`);
    return found;
  }

  /** A token id, or undefined. */
  id(field: string): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.#fail(field, value, 'a token id');
    }
    return value;
  }

  /** A list of non-negative integers. */
  integers(field: string, fallback: readonly number[]): readonly number[] {
    const value = this.raw(field) ?? fallback;
    const fits = Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
    if (!fits) throw this.#fail(field, value, 'a list of integers');
    return value as number[];
  }

  #fail(field: string, value: unknown, expected: string): Error {
    const got = value === undefined ? 'is missing' : `is ${describe(value)}`;
    return modelError(`${this.#file}: "${this.#prefix}${field}"`, `${got}; expected ${expected}`);
  }
}
