/**
 * The backward pass of keys, cut so that its workgroups do about the same. All completions of a group visit the keys of its
 * prompt: a workgroup for each tile of keys would do many times there what it does for a completion's.
 */

/** Keys [from, to), and who visits them (`Segments.keyTiles`). */
export interface KeyTile {
  readonly from: number;
  readonly to: number;
  /** Words of the table; the tile's own segment comes first. */
  readonly visitors: number[][];
}

/** What one workgroup does: a tile, or some of the queries that visit it. */
export interface KeyPart extends KeyTile {
  /** Blocks of queries to go over. */
  readonly work: number;
  /** Where its sums are put until they are added to those of the tile's other parts; -1 for a whole tile. */
  readonly slot: number;
}

/** The parts of all tiles, longest first, and the tiles of several parts, whose slots follow one another. */
export interface KeyParts {
  readonly parts: readonly KeyPart[];
  readonly cut: readonly { readonly tile: KeyTile; readonly slot: number; readonly slots: number }[];
  readonly slots: number;
}

/**
 * How to cut: queries per block, multiples of what blocks begin at, the most slots there is room for, whether own queries
 * before a key are left out, and how far queries look back (0: to the beginning).
 */
export interface KeyPartsOptions {
  readonly block: number;
  readonly align: number;
  readonly mostSlots: number;
  readonly causal: boolean;
  readonly window: number;
}

interface Counted {
  readonly tile: KeyTile;
  readonly work: number;
}

/** Cuts tiles until no part has more than twice the work of the median, or there is no room for more slots. */
export function keyParts(tiles: readonly KeyTile[], options: KeyPartsOptions): KeyParts {
  const counted = tiles.map((tile) => withoutUnseen(tile, options));
  const most = longest(counted, options.mostSlots);
  const parts: KeyPart[] = [];
  const cut: { tile: KeyTile; slot: number; slots: number }[] = [];
  let slots = 0;
  for (const { tile, work } of counted) {
    const pieces = piecesOf(work, most);
    if (pieces === 1) {
      parts.push({ ...tile, work, slot: -1 });
      continue;
    }
    cut.push({ tile, slot: slots, slots: pieces });
    for (let i = 0; i < pieces; i++) {
      const from = Math.floor((i * work) / pieces);
      const to = Math.floor(((i + 1) * work) / pieces);
      const visitors = blocksOf(tile.visitors, from, to, options);
      parts.push({ ...tile, visitors, work: to - from, slot: slots++ });
    }
  }
  parts.sort((a, b) => b.work - a.work || a.from - b.from || a.slot - b.slot);
  return { parts, cut, slots };
}

/** A causal mask hides from a tile the queries before it, a window those far behind it; what is left is its work. */
function withoutUnseen(tile: KeyTile, options: KeyPartsOptions): Counted {
  const { causal, window } = options;
  const visitors = tile.visitors
    .map((visitor) => {
      const [from, to, first, end, shift, masked, gap, ...rest] = visitor;
      const begin = causal && masked ? Math.max(from, tile.from) : from;
      const stop = window > 0 ? Math.min(to, end - 1 + window + gap) : to;
      return [begin, stop, first, end, shift, masked, gap, ...rest];
    })
    .filter(([from, to]) => to > from);
  const work = visitors.reduce((sum, visitor) => sum + blocksIn(visitor, options), 0);
  // Padding has no visitors.
  return { tile: { ...tile, visitors: work > 0 ? visitors : tile.visitors }, work };
}

function blocksIn([from, to]: readonly number[], { block, align }: KeyPartsOptions): number {
  return to > from ? Math.ceil((to - floorTo(from, align)) / block) : 0;
}

function floorTo(x: number, step: number): number {
  return Math.floor(x / step) * step;
}

function piecesOf(work: number, most: number): number {
  return Math.max(1, Math.ceil(work / most));
}

/** The largest amount of work that a part may have. */
function longest(counted: readonly Counted[], mostSlots: number): number {
  const works = counted.map(({ work }) => work).filter((work) => work > 0);
  let found = Math.max(1, ...works);
  for (let most = found; most >= 1; most = Math.min(most - 1, Math.floor(0.9 * most))) {
    const cut = works.filter((work) => work > most);
    if (cut.reduce((sum, work) => sum + piecesOf(work, most), 0) > mostSlots) break;
    found = most;
    const parts = works.flatMap((work) =>
      Array<number>(piecesOf(work, most)).fill(work / piecesOf(work, most)),
    );
    parts.sort((a, b) => a - b);
    if (Math.ceil(parts[parts.length - 1]) <= 2 * Math.floor(parts[(parts.length - 1) >> 1])) break;
  }
  return found;
}

/** Blocks [from, to) of all visitors' blocks. */
function blocksOf(
  visitors: readonly number[][],
  from: number,
  to: number,
  options: KeyPartsOptions,
): number[][] {
  const found: number[][] = [];
  let before = 0;
  for (const visitor of visitors) {
    const [start, end, ...rest] = visitor;
    const count = blocksIn(visitor, options);
    const begin = (block: number) => floorTo(start, options.align) + block * options.block;
    const first = Math.max(0, from - before);
    const last = Math.min(count, to - before);
    if (first < last) found.push([Math.max(start, begin(first)), Math.min(end, begin(last)), ...rest]);
    before += count;
  }
  return found;
}
