/** Boxes in pictures: how answers write them, and how much two sets of them share. */

/** Left, top, right and bottom edge. */
export type Box = readonly [number, number, number, number];

/** More boxes than any answer needs; what lists more is no answer. */
const MOST = 64;
const NUMBER = String.raw`\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*`;
/** `[1, 2, 3, 4]`, also within lists and as `{"bbox_2d": [1, 2, 3, 4]}`. */
const BRACKETS = new RegExp(String.raw`\[${[NUMBER, NUMBER, NUMBER, NUMBER].join(',')}\]`, 'g');
/** `(1, 2), (3, 4)`, as Qwen2-VL writes them. */
const CORNERS = new RegExp(String.raw`\(${NUMBER},${NUMBER}\)\s*,?\s*\(${NUMBER},${NUMBER}\)`, 'g');
/** Nothing but `1, 2, 3, 4` or `(1, 2, 3, 4)`. */
const BARE = new RegExp(String.raw`^\s*\(?${[NUMBER, NUMBER, NUMBER, NUMBER].join('[,\\s]')}\)?\s*$`, 'g');

/** The boxes that a text writes, in order; those without an area are left out. */
export function boxesIn(text: string): Box[] {
  for (const form of [BRACKETS, CORNERS, BARE]) {
    const found = [...text.matchAll(form)].map((match) => match.slice(1, 5).map(Number) as unknown as Box);
    if (found.length > 0) return found.length > MOST ? [] : found.filter(hasArea);
  }
  return [];
}

/** Whether a box is one: its right edge right of its left, its bottom below its top. */
export function hasArea([x1, y1, x2, y2]: Box): boolean {
  return x2 > x1 && y2 > y1;
}

/** What two boxes share, as a part of what they cover together. */
export function iou(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

/**
 * How well boxes fit those that are wanted: pairs are made from the best downwards, and what they share is added and divided by
 * the larger number of boxes, so that boxes too many cost as much as boxes that are missing.
 */
export function boxesIou(said: readonly Box[], wanted: readonly Box[]): number {
  const pairs = said
    .flatMap((a, i) => wanted.map((b, k) => ({ i, k, value: iou(a, b) })))
    .sort((p, q) => q.value - p.value || p.i - q.i || p.k - q.k);
  const [usedSaid, usedWanted] = [new Set<number>(), new Set<number>()];
  let sum = 0;
  for (const { i, k, value } of pairs) {
    if (usedSaid.has(i) || usedWanted.has(k)) continue;
    usedSaid.add(i);
    usedWanted.add(k);
    sum += value;
  }
  return sum / Math.max(1, said.length, wanted.length);
}

function areaOf([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}
