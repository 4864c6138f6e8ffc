/** Which examples a step learns from. A function of seed and step alone, so that a resumed run goes on exactly. */
import { Random } from '../data/index.js';

/** Examples that share a row, by index. */
export type Row = readonly number[];

/** One row per example. */
export function singleRows(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => [i]);
}

/**
 * Rows of at most `capacity` tokens: the longest examples first, each into the fullest row that has room (best fit
 * decreasing, which TRL calls `bfd`). Examples of equal length keep their order.
 */
export function packRows(lengths: ArrayLike<number>, capacity: number): Row[] {
  const rows: number[][] = [];
  // Rows by the room that is left.
  const byRoom: number[][][] = Array.from({ length: capacity + 1 }, () => []);
  const order = Array.from(lengths, (length, i) => ({ length, i })).sort(
    (a, b) => b.length - a.length || a.i - b.i,
  );
  for (const { length, i } of order) {
    if (length > capacity)
      throw new RangeError(`example ${i} has ${length} tokens, over the ${capacity} of a row`);
    let room = length;
    while (room <= capacity && byRoom[room].length === 0) room++;
    let row: number[];
    if (room <= capacity) row = byRoom[room].pop() as number[];
    else {
      row = [];
      rows.push(row);
      room = capacity;
    }
    row.push(i);
    byRoom[room - length].push(row);
  }
  return rows;
}

/** As transformers has it. */
const MOST_BATCHES = 50;

/**
 * An order in which indices of about the same length follow one another, from one in which they do not: sorted within stretches
 * of so many batches, as transformers does it, with the longest of all first.
 */
export function groupByLength(
  order: readonly number[],
  lengths: ArrayLike<number>,
  batchSize: number,
): number[] {
  const batches = Math.max(1, Math.min(Math.floor(order.length / (batchSize * 4)), MOST_BATCHES));
  const size = batches * batchSize;
  const stretches = Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
    order.slice(i * size, (i + 1) * size).sort((a, b) => lengths[b] - lengths[a]),
  );
  const most = Math.max(...stretches.map(([first]) => lengths[first]));
  const longest = stretches.find(([first]) => lengths[first] === most);
  if (longest) [stretches[0][0], longest[0]] = [longest[0], stretches[0][0]];
  return stretches.flat();
}

/** Settings of {@link Order}. */
export interface OrderOptions {
  readonly rows: readonly Row[];
  readonly seed: number;
  readonly shuffle: boolean;
  /** Rows of a micro-batch, and micro-batches of a step. */
  readonly batchSize: number;
  readonly accumulation: number;
  /** Tokens of each row, where rows of about the same length shall meet. */
  readonly lengths?: ArrayLike<number>;
}

/** The order of rows over the epochs. The last step of an epoch may have fewer rows. */
export class Order {
  readonly stepsPerEpoch: number;
  readonly rows: readonly Row[];
  readonly #options: OrderOptions;
  #epoch = -1;
  #shuffled: readonly Row[] = [];

  constructor(options: OrderOptions) {
    this.#options = options;
    this.rows = options.rows;
    this.stepsPerEpoch = Math.ceil(options.rows.length / (options.batchSize * options.accumulation));
  }

  /** Micro-batches of a step (counting from 1), each a list of examples. */
  step(step: number): number[][] {
    const { batchSize, accumulation } = this.#options;
    const rows = this.#rowsOf(Math.floor((step - 1) / this.stepsPerEpoch));
    const first = ((step - 1) % this.stepsPerEpoch) * batchSize * accumulation;
    const own = rows.slice(first, first + batchSize * accumulation);
    const batches: number[][] = [];
    for (let i = 0; i < own.length; i += batchSize) batches.push(own.slice(i, i + batchSize).flat());
    return batches;
  }

  #rowsOf(epoch: number): readonly Row[] {
    const { rows, seed, shuffle, lengths, batchSize, accumulation } = this.#options;
    if (!shuffle) return rows;
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      const random = new Random(seed, 'sft order', epoch);
      const order = random.shuffle(rows.map((_, i) => i));
      const grouped = lengths ? groupByLength(order, lengths, batchSize * accumulation) : order;
      this.#shuffled = grouped.map((i) => rows[i]);
    }
    return this.#shuffled;
  }
}
