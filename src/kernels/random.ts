/** Counter-based random numbers: Philox4x32-10, the same bits as shaders/random/philox.wgsl gives on the device. */
import { check, type Gpu, type Purpose } from '../gpu/index.js';
import { empty, type Shape, type Tensor } from '../tensor/index.js';
import { checkDtype, launchElementwise } from './support.js';

/** Where a random number lives. Equal addresses give equal numbers, whatever was drawn before. */
export interface RandomAddress {
  /** Seed of the run: an integer up to 2^53, or a bigint of 64 bits. */
  readonly seed: number | bigint;
  /** What the numbers are for (a sample, a dropout layer), u32. */
  readonly stream: number;
  /** Training step, u32. */
  readonly step: number;
  /** Position within the stream (token, element), u32. */
  readonly position: number;
}

/** Four words; of a counter, or random. */
export type Words4 = readonly [number, number, number, number];

/** The key that a seed stands for: low word, high word. */
export function philoxKey(seed: number | bigint): readonly [number, number] {
  check(typeof seed === 'bigint' || Number.isInteger(seed), 'value', () => {
    return `seed: expected an integer, not ${seed}`;
  });
  const bits = BigInt(seed);
  return [Number(bits & 0xffffffffn), Number((bits >> 32n) & 0xffffffffn)];
}

/** The counter of an address: position, block (0; further numbers of the same address), step, stream. */
export function philoxCounter({ stream, step, position }: RandomAddress, block = 0): Words4 {
  return [position >>> 0, block >>> 0, step >>> 0, stream >>> 0];
}

function multiply(a: number, b: number): readonly [high: number, low: number] {
  const product = BigInt(a) * BigInt(b);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/** Philox4x32 with ten rounds. */
export function philox4x32(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Four random words for an address. */
export function randomWords(address: RandomAddress, block = 0): Words4 {
  return philox4x32(philoxCounter(address, block), philoxKey(address.seed));
}

/** FNV-1a: the stream of what has a name. */
export function nameHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A random word as a number in [0, 1), a multiple of 2^-24. */
export function unitFloat(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** The address of a tensor of random numbers; its elements are the positions. */
export type RandomStream = Omit<RandomAddress, 'position'>;

/** @internal A stream as parameters of a launch. */
export function streamParams({ seed, stream, step }: RandomStream): Record<string, number> {
  const [key0, key1] = philoxKey(seed);
  return { key0, key1, stream, step };
}

function fill(
  gpu: Gpu,
  shape: Shape,
  address: RandomStream,
  params: { a: number; b: number },
  normal: boolean,
  purpose: Purpose,
): Tensor {
  const y = empty(gpu, shape, { purpose });
  launchElementwise(
    gpu,
    'random/fill',
    { y },
    { ...params, ...streamParams(address) },
    { defines: { NORMAL: normal }, window: (first) => ({ first }) },
  );
  return y;
}

/** Where uniform numbers lie: [low, high), up to rounding at the upper end. */
export interface UniformRange {
  readonly low?: number;
  readonly high?: number;
}

/** A tensor of uniform numbers, by default in [0, 1). Element i comes from word i % 4 of position i / 4. */
export function randomUniform(
  gpu: Gpu,
  shape: Shape,
  address: RandomStream,
  { low = 0, high = 1 }: UniformRange = {},
  purpose: Purpose = 'activations',
): Tensor {
  return fill(gpu, shape, address, { a: low, b: high - low }, false, purpose);
}

/** A tensor of normal numbers, by default with mean 0 and deviation 1. */
export function randomNormal(
  gpu: Gpu,
  shape: Shape,
  address: RandomStream,
  { mean = 0, std = 1 }: { readonly mean?: number; readonly std?: number } = {},
  purpose: Purpose = 'activations',
): Tensor {
  return fill(gpu, shape, address, { a: mean, b: std }, true, purpose);
}

/** Zeroes each element with probability p and scales the others by 1 / (1 - p). Its gradient is itself on the gradient. */
export function dropout(x: Tensor, p: number, address: RandomStream): Tensor {
  checkDtype('dropout', 'x', x, 'f32');
  check(p >= 0 && p < 1, 'value', () => `dropout: probability ${p} is not in [0, 1)`);
  const y = empty(x.gpu, x.shape);
  launchElementwise(
    x.gpu,
    'random/dropout',
    { x, y },
    { p, scale: 1 / (1 - p), ...streamParams(address) },
    { window: (first) => ({ first }) },
  );
  return y;
}
