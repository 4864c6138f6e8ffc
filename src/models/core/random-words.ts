/** Fast random words on the host, addressed by place: for initialising weights, where Philox would take minutes. */

/** The random word of a counter under two key words. */
export function randomWord(counter: number, key0: number, key1: number): number {
  return mix(mix(counter ^ key0) ^ key1);
}

/** A bijection of 32-bit words that leaves no visible structure (the finaliser of MurmurHash3). */
function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Fills an array with uniform numbers in [-bound, bound). */
export function fillUniform(out: Float32Array, bound: number, key0: number, key1: number): void {
  for (let i = 0; i < out.length; i++) out[i] = bound * (randomWord(i, key0, key1) / 2 ** 31 - 1);
}
