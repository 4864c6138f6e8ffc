/** A digest of numbers by their bits: 128 bits, fast, for telling things apart that nobody forges. */

/** MurmurHash3 (x86, 128 bits) over 32-bit words, as hexadecimal digits. */
export function digestOf(values: Float32Array): string {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let i = 0; i < words.length; i += 4) {
    // Words past the end count as zeros; the length goes in below.
    h1 ^= Math.imul(rotate(Math.imul(words[i], C1), 15), C2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(words[i + 1] ?? 0, C2), 16), C3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(words[i + 2] ?? 0, C3), 17), C4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(words[i + 3] ?? 0, C4), 18), C1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const length = words.byteLength;
  const mixed = together([h1 ^ length, h2 ^ length, h3 ^ length, h4 ^ length]).map(finish);
  return together(mixed)
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join('');
}

const [C1, C2, C3, C4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function together([a, b, c, d]: readonly number[]): number[] {
  const sum = (a + b + c + d) | 0;
  return [sum, (b + sum) | 0, (c + sum) | 0, (d + sum) | 0];
}

function finish(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
