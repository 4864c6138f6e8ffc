/**
 * Deflate with Huffman codes and no matches, in the zlib format. Platforms compress alike only within one version of zlib;
 * this gives equal bytes everywhere, and on noisy pictures it is hardly larger.
 */

/** Longest code that deflate allows for bytes, and for the code lengths themselves. */
const MAX_BITS = 15;
const MAX_LENGTH_BITS = 7;
const END = 256;
/** The order in which deflate lists the lengths of the codes for code lengths. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Compresses bytes into a zlib stream. */
export function deflate(bytes: Uint8Array): Uint8Array {
  const out = new BitWriter(bytes.length + 1024);
  out.byte(0x78);
  out.byte(0x01);
  const counts = new Array<number>(257).fill(0);
  for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1;
  counts[END] = 1;
  const lengths = codeLengths(counts, MAX_BITS);
  const codes = canonicalCodes(lengths);
  writeHeader(out, lengths);
  for (const byte of bytes) out.bits(codes[byte] as number, lengths[byte] as number);
  out.bits(codes[END] as number, lengths[END] as number);
  out.align();
  const sum = adler32(bytes);
  for (const shift of [24, 16, 8, 0]) out.byte((sum >>> shift) & 255);
  return out.bytes();
}

/** One last block with codes of its own: how many there are, and their lengths, themselves coded. */
function writeHeader(out: BitWriter, lengths: readonly number[]): void {
  // One distance code must be there although none is used.
  const all = [...lengths, 1];
  const counts = new Array<number>(19).fill(0);
  for (const length of all) counts[length] = (counts[length] as number) + 1;
  const own = codeLengths(counts, MAX_LENGTH_BITS);
  const codes = canonicalCodes(own);
  out.bits(1, 1);
  out.bits(2, 2);
  out.bits(lengths.length - 257, 5);
  out.bits(0, 5);
  out.bits(LENGTH_ORDER.length - 4, 4);
  for (const symbol of LENGTH_ORDER) out.bits(own[symbol] as number, 3);
  for (const length of all) out.bits(codes[length] as number, own[length] as number);
}

/** Lengths of an optimal prefix code; counts are flattened until no code is longer than allowed. */
function codeLengths(counts: readonly number[], most: number): number[] {
  for (let flat = 0; ; flat++) {
    const used = counts.flatMap((count, symbol) =>
      count > 0 ? [{ weight: Math.max(1, count >>> flat), symbols: [symbol] }] : [],
    );
    const lengths = new Array<number>(counts.length).fill(0);
    // A lone symbol still takes a bit.
    if (used.length === 1) lengths[used[0]?.symbols[0] as number] = 1;
    while (used.length > 1) {
      used.sort((a, b) => b.weight - a.weight || (b.symbols[0] as number) - (a.symbols[0] as number));
      const [a, b] = [used.pop(), used.pop()];
      const symbols = [...(a?.symbols ?? []), ...(b?.symbols ?? [])];
      for (const symbol of symbols) lengths[symbol] = (lengths[symbol] as number) + 1;
      used.push({ weight: (a?.weight ?? 0) + (b?.weight ?? 0), symbols });
    }
    if (lengths.every((length) => length <= most)) return lengths;
  }
}

/** Codes by length and symbol, with their bits in the order of the stream. */
function canonicalCodes(lengths: readonly number[]): number[] {
  const codes = new Array<number>(lengths.length).fill(0);
  let code = 0;
  for (let length = 1; length <= MAX_BITS; length++) {
    code <<= 1;
    for (const [symbol, own] of lengths.entries()) {
      if (own === length) codes[symbol] = reversed(code++, length);
    }
  }
  return codes;
}

function reversed(code: number, length: number): number {
  let out = 0;
  for (let bit = 0; bit < length; bit++) out |= ((code >>> bit) & 1) << (length - 1 - bit);
  return out;
}

class BitWriter {
  private buffer: Uint8Array;
  private at = 0;
  private held = 0;
  private count = 0;

  constructor(capacity: number) {
    this.buffer = new Uint8Array(capacity);
  }

  bits(value: number, length: number): void {
    this.held |= value << this.count;
    this.count += length;
    while (this.count >= 8) {
      this.byte(this.held & 255);
      this.held >>>= 8;
      this.count -= 8;
    }
  }

  byte(value: number): void {
    if (this.at === this.buffer.length) {
      const larger = new Uint8Array(2 * this.buffer.length);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer[this.at++] = value;
  }

  align(): void {
    if (this.count > 0) this.byte(this.held & 255);
    this.held = 0;
    this.count = 0;
  }

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.at);
  }
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
