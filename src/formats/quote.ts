/** How messages show what untrusted files say. */

/** Longest part of an untrusted string that a message repeats. */
const QUOTE_LIMIT = 120;

/** Quotes untrusted text for a message: control characters escaped, length bounded. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text);
}

/** Describes an untrusted JSON value for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value))
    return value.length > 8 ? `a list of ${value.length}` : `[${value.map(describe).join(', ')}]`;
  if (typeof value === 'string') return quote(value);
  if (value !== null && typeof value === 'object') return 'an object';
  return value === undefined ? 'nothing' : Object.is(value, -0) ? '-0' : String(value);
}
