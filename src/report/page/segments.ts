/** Cuts a completion into parts that are shown differently; every character stays. */

/** What a stretch of a completion is. */
export type SegmentKind = 'tag' | 'think' | 'answer' | 'plain';

/** A stretch of text. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly text: string;
}

/** Reasoning, answer, the tags around them, and whatever is outside of any. */
export function segmentsOf(completion: string): Segment[] {
  const segments: Segment[] = [];
  let kind: SegmentKind = 'plain';
  for (const piece of completion.split(/(<\/?(?:think|answer)>)/i)) {
    if (piece === '') continue;
    const tag = /^<(\/?)(think|answer)>$/i.exec(piece);
    if (tag === null) {
      segments.push({ kind, text: piece });
      continue;
    }
    segments.push({ kind: 'tag', text: piece });
    kind = tag[1] ? 'plain' : (tag[2]?.toLowerCase() as SegmentKind);
  }
  return segments;
}

/** A stretch of text, and whether a search found it. */
export interface Highlight {
  readonly text: string;
  readonly found: boolean;
}

/** Marks where a text has words of a search. */
export function highlights(text: string, terms: readonly string[]): Highlight[] {
  if (terms.length === 0) return [{ text, found: false }];
  const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return text
    .split(new RegExp(`(${escaped.join('|')})`, 'gi'))
    .map((piece, i) => ({ text: piece, found: i % 2 === 1 }))
    .filter((piece) => piece.text !== '');
}
