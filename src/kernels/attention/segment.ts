/** One segment of a packed batch: what it is, whether it makes sense, and what depends on it. */
import { check } from '../../gpu/index.js';

/**
 * A run of tokens [start, end) that attend among themselves (causally or fully) and, fully, to the tokens
 * [prefixStart, prefixEnd); an empty prefix may be left out. Where rows look back no further than a window, the prefix counts
 * as what stands right before the segment.
 */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly prefixStart?: number;
  readonly prefixEnd?: number;
  /** Its tokens see one another where those of others see only earlier ones: such as those of a picture. */
  readonly whole?: boolean;
}

/** A segment with its prefix spelled out; [0, 0) or any other empty range where there is none. */
export type FullSegment = Required<Segment>;

/** Tokens [from, to). */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Spells the prefix out. */
export function withPrefix({
  start,
  end,
  prefixStart = 0,
  prefixEnd = prefixStart,
  whole = false,
}: Segment): FullSegment {
  return { start, end, prefixStart, prefixEnd, whole };
}

/** Tokens between a segment and its prefix, which is before it: of other segments with the same prefix. */
export function gapOf({ start, prefixStart, prefixEnd }: FullSegment): number {
  return prefixEnd > prefixStart ? start - prefixEnd : 0;
}

/** The segment `by` tokens further on. */
export function moved(segment: FullSegment, by: number): Segment {
  const { start, end, prefixStart, prefixEnd, whole } = segment;
  const own = { start: start + by, end: end + by, whole };
  if (prefixEnd === prefixStart) return own;
  return { ...own, prefixStart: prefixStart + by, prefixEnd: prefixEnd + by };
}

function show({ start, end, prefixStart, prefixEnd }: FullSegment): string {
  const prefix = prefixEnd > prefixStart ? ` with prefix [${prefixStart}, ${prefixEnd})` : '';
  return `[${start}, ${end})${prefix}`;
}

/** Rejects a segment that is out of range or overlaps its prefix or the next one. */
export function checkSegment(segment: FullSegment, next: FullSegment | undefined, tokens: number): void {
  const { start, end, prefixStart, prefixEnd } = segment;
  check([start, end, prefixStart, prefixEnd].every(Number.isInteger), 'value', () => {
    return `segments: ${show(segment)} has a bound that is not an integer`;
  });
  check(start >= 0 && start < end && end <= tokens, 'value', () => {
    return `segments: ${show(segment)} is empty or outside the ${tokens} tokens`;
  });
  check(prefixStart >= 0 && prefixStart <= prefixEnd && prefixEnd <= tokens, 'value', () => {
    return `segments: the prefix of ${show(segment)} is reversed or outside the ${tokens} tokens`;
  });
  check(prefixEnd === prefixStart || prefixEnd <= start || prefixStart >= end, 'value', () => {
    return `segments: ${show(segment)} overlaps its own prefix; its tokens would count twice`;
  });
  check(!next || end <= next.start, 'value', () => {
    return `segments: ${show(segment)} overlaps ${show(next!)}`;
  });
}

/** A range in pieces of `size`. */
export function* cut({ from, to }: Range, size: number): Generator<Range> {
  for (let at = from; at < to; at += size) yield { from: at, to: Math.min(at + size, to) };
}

/** The smallest runs of tokens that attend to nothing outside, in order, covering all tokens; padding one by one. */
export function* independentRuns(
  segments: readonly FullSegment[],
  tokens: number,
): Generator<Range & { list: FullSegment[] }> {
  const groups: (Range & { list: FullSegment[] })[] = [];
  for (const segment of segments) {
    const { start, end, prefixStart, prefixEnd } = segment;
    const alone = prefixEnd === prefixStart;
    let from = alone ? start : Math.min(start, prefixStart);
    let to = alone ? end : Math.max(end, prefixEnd);
    const list = [segment];
    for (let last = groups.at(-1); last && last.to > from; last = groups.at(-1)) {
      from = Math.min(from, last.from);
      to = Math.max(to, last.to);
      list.unshift(...last.list);
      groups.pop();
    }
    groups.push({ from, to, list });
  }
  let next = 0;
  for (const group of [...groups, { from: tokens, to: tokens, list: [] }]) {
    for (; next < group.from; next++) yield { from: next, to: next + 1, list: [] };
    if (group.to > group.from) yield group;
    next = group.to;
  }
}
