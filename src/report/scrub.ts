/** Takes this machine's folders out of what a report shows: a report is made to be passed on. */

const ABSOLUTE = /^(?:file:\/\/|~?[/\\]|[A-Za-z]:[/\\])/;
/** Absolute paths inside of other text: at least two parts, so that `</think>` or `and/or` is none. */
const INSIDE = /(?<=^|[\s"'`=([{,;])(?:file:\/\/|~|[A-Za-z]:)?(?:[/\\][^\s/\\"'`,;:)\]}]+){2,}[/\\]?/g;

/** An absolute path becomes `…/name`; anything else stays. */
export function shortPath(path: string): string {
  if (!ABSOLUTE.test(path)) return path;
  const name = path
    .split(/[/\\]/)
    .filter((part) => part !== '')
    .at(-1);
  return `…/${name ?? ''}`;
}

/** Text in which each absolute path is shortened to `…/name`. */
export function withoutPaths(text: string): string {
  if (ABSOLUTE.test(text) && !/\s/.test(text)) return shortPath(text);
  return text.replace(INSIDE, shortPath);
}

/** The same for every string of a JSON-like value, keys included. */
export function scrubbed(value: unknown): unknown {
  if (typeof value === 'string') return withoutPaths(value);
  if (Array.isArray(value)) return value.map(scrubbed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [withoutPaths(key), scrubbed(v)]));
}
