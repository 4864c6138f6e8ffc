/**
 * Random numbers on the host, counter-based: Philox 4x32-10, the generator of the GPU kernels. A stream is addressed by
 * (seed, name, number), so that what one consumer draws never depends on what another drew before it.
 */

/** One stream of random numbers. */
export class Random {
  private readonly seed: number;
  private readonly name: number;
  private readonly stream: number;
  private counter = 0;
  private readonly block = new Uint32Array(4);
  private left = 0;

  /**
   * @param name what the stream is for; streams of different names are independent.
   * @param stream number of the stream among those of its name, such as a record's.
   */
  constructor(seed: number, name: string, stream = 0) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new RangeError(`seed ${seed} is not a whole number of 0 or more`);
    this.seed = seed;
    this.name = fnv1a(name);
    this.stream = stream;
  }

  /** 32 random bits. */
  word(): number {
    if (this.left === 0) {
      philox(this.block, this.counter++, this.stream, this.name, this.seed);
      this.left = 4;
    }
    return this.block[4 - this.left--] as number;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + ((high - low) * this.word()) / 2 ** 32;
  }

  /** A whole number in [0, n), all equally likely. */
  below(n: number): number {
    // Words past the last multiple of n would favour small numbers.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** Standard normal. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One of a list. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** A copy in random order. */
  shuffle<T>(values: readonly T[]): T[] {
    const out = values.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const k = this.below(i + 1);
      const held = out[i] as T;
      out[i] = out[k] as T;
      out[k] = held;
    }
    return out;
  }
}

function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** High word of a 32 x 32 bit product. */
function mulhi(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) >>> 0;
}

function philox(out: Uint32Array, counter: number, stream: number, name: number, seed: number): void {
  let [c0, c1, c2, c3] = [counter >>> 0, Math.floor(counter / 2 ** 32) >>> 0, stream >>> 0, name];
  let k0 = seed >>> 0;
  let k1 = Math.floor(seed / 2 ** 32) >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulhi(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = mulhi(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out.set([c0, c1, c2, c3]);
}
