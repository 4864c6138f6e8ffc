/** How messages and terminals show what untrusted files say. */

/** Longest part of an untrusted string that a message repeats. */
const QUOTE_LIMIT = 120;

/** Quotes untrusted text for a message: control characters escaped, length bounded. */
export function quote(text: string): string {
  return visible(JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text));
}

/**
 * What a terminal may take for commands: control characters, carriage returns but before a line's end, and those that turn
 * the order of letters round.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const UNSAFE = /\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** Untrusted text that is safe for a terminal: what is not a letter of some kind, a tab or the end of a line as `\u001b`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same within a line, such as a cell of a table. */
export function visibleInLine(text: string): string {
  return visible(text).replace(/\r?\n/g, '\\n').replaceAll('\t', '\\t');
}

/** Describes an untrusted JSON value for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value))
    return value.length > 8 ? `a list of ${value.length}` : `[${value.map(describe).join(', ')}]`;
  if (typeof value === 'string') return quote(value);
  if (value !== null && typeof value === 'object') return 'an object';
  return value === undefined ? 'nothing' : Object.is(value, -0) ? '-0' : String(value);
}
