/** Lists of texts as Python prints them: how MMMU and VLMEvalKit store lists in columns of text. */

/** The texts of a list such as `['a', "it's"]`; undefined when the text is something else. */
export function pythonList(text: string): string[] | undefined {
  const source = text.trim();
  if (!source.startsWith('[') || !source.endsWith(']')) return undefined;
  const items: string[] = [];
  const inner = source.slice(1, -1);
  let at = skipSpace(inner, 0);
  while (at < inner.length) {
    const quote = inner[at] as string;
    if (quote !== "'" && quote !== '"') return undefined;
    const item = stringFrom(inner, at + 1, quote);
    if (item === undefined) return undefined;
    items.push(item.value);
    at = skipSpace(inner, item.end);
    if (at === inner.length) break;
    if (inner[at] !== ',') return undefined;
    at = skipSpace(inner, at + 1);
  }
  return items;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at] as string)) at++;
  return at;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function stringFrom(text: string, start: number, quote: string): { value: string; end: number } | undefined {
  const parts: string[] = [];
  let from = start;
  for (let at = start; at < text.length; at++) {
    if (text[at] === quote) return { value: parts.join('') + text.slice(from, at), end: at + 1 };
    if (text[at] !== '\\') continue;
    parts.push(text.slice(from, at));
    const kind = text[at + 1] ?? '';
    const digits = HEX_DIGITS[kind];
    if (digits === undefined) {
      // Python leaves a backslash before any other character as it is.
      parts.push(ESCAPES[kind] ?? `\\${kind}`);
      at += 1;
    } else {
      const hex = text.slice(at + 2, at + 2 + digits);
      const code = Number.parseInt(hex, 16);
      if (!/^[0-9a-f]+$/i.test(hex) || hex.length < digits || code > 0x10ffff) return undefined;
      parts.push(String.fromCodePoint(code));
      at += 1 + digits;
    }
    from = at + 1;
  }
  return undefined;
}
