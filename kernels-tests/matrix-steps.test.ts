/** What the roundings of the tier of matrix units come to over optimizer steps. */
import { expect, test } from 'vitest';
import { backward, linear, mul } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { AdamW } from '../src/optim/index.js';
import { type DType, encode, fromHost, tensor } from '../src/tensor/index.js';
import { random, relativeError } from './support/compare.js';
import { testGpu, testTiers } from './support/gpu.js';
import { onMatrixUnits, product, rounded } from './support/matmul.js';

const STEPS = 5;
const SETTINGS = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
const LEARNING_RATE = 1e-3;
/** Rows, inputs, hidden, outputs. */
const [T, D, H, O] = [64, 48, 40, 36];

/** AdamW on one weight in float64; `stored` is what a 16-bit format makes of it. */
class Reference {
  readonly exact: Float64Array;
  readonly #m: Float64Array;
  readonly #v: Float64Array;
  #steps = 0;

  constructor(
    first: Float32Array,
    readonly dtype: DType,
  ) {
    this.exact = Float64Array.from(first);
    this.#m = new Float64Array(first.length);
    this.#v = new Float64Array(first.length);
  }

  get stored(): Float32Array {
    return rounded(Float32Array.from(this.exact), this.dtype);
  }

  step(gradient: Float64Array): void {
    const { beta1, beta2, epsilon } = SETTINGS;
    this.#steps++;
    for (const [i, g] of gradient.entries()) {
      this.#m[i] += (1 - beta1) * (g - this.#m[i]);
      this.#v[i] = beta2 * this.#v[i] + (1 - beta2) * g * g;
      const size = Math.sqrt(this.#v[i] / (1 - beta2 ** this.#steps)) + epsilon;
      this.exact[i] -= (LEARNING_RATE / (1 - beta1 ** this.#steps)) * (this.#m[i] / size);
    }
  }
}

/**
 * Steps of y = (x U^T)^2 V^T towards targets, on the device and in float64: how far apart the weights are at the end, relative to the
 * way that they went.
 */
async function distances(gpu: Gpu, dtype: DType): Promise<number[]> {
  const [x, targets] = [random(T * D, 1), random(T * O, 2)];
  const first = [random(H * D, 3), random(O * H, 4)].map((w) => rounded(w, dtype));
  const [u, v] = first.map((w) => new Reference(w, dtype));
  const weights = first.map((w, i) => fromHost(gpu, encode(w, dtype), i === 0 ? [H, D] : [O, H], dtype));
  for (const weight of weights) weight.requireGrad();
  const group = {
    parameters: weights.map((w, i) => [`w${i}`, w] as const),
    learningRate: LEARNING_RATE,
    weightDecay: 0,
  };
  const optimizer = new AdamW(gpu, [group], SETTINGS);
  const input = tensor(gpu, x, [T, D]);
  for (let step = 0; step < STEPS; step++) {
    const hidden = linear(input, weights[0]);
    const y = linear(mul(hidden, hidden), weights[1]);
    const off = (await y.data()).map((value, i) => (value - targets[i]) / T);
    backward(y, { gradient: tensor(gpu, off, [T, O]) });
    await optimizer.step(0);
    for (const weight of weights) {
      weight.grad?.dispose();
      weight.grad = null;
    }

    const h = product(x, u.stored, { M: T, N: H, K: D, transposeB: true });
    const squares = h.map((value) => value * value);
    const y64 = product(squares, v.stored, { M: T, N: O, K: H, transposeB: true });
    const g = y64.map((value, i) => (value - targets[i]) / T);
    const gSquares = product(g, v.stored, { M: T, N: H, K: O });
    const gHidden = gSquares.map((value, i) => 2 * h[i] * value);
    v.step(product(g, squares, { M: O, N: H, K: T, transposeA: true }));
    u.step(product(gHidden, x, { M: H, N: D, K: T, transposeA: true }));
  }
  const found: number[] = [];
  for (const [i, { param, master }] of optimizer.slots.entries()) {
    const moved = (values: ArrayLike<number>) => Float64Array.from(values, (w, at) => w - first[i][at]);
    found.push(relativeError(moved(await (master ?? param).data()), moved([u, v][i].exact)));
  }
  optimizer.dispose();
  for (const t of [...weights, input]) t.dispose();
  return found;
}

test.for([
  ['f32', 5e-5],
  ['bf16', 5e-3],
] as const)(
  'five steps of AdamW, weights in %s, end within %d of their way of float64',
  async ([dtype, limit], { skip }) => {
    skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
    const gpu = await testGpu('subgroup-matrix');
    const found = await onMatrixUnits(gpu, () => distances(gpu, dtype));
    for (const distance of found) expect(distance).toBeLessThan(limit);
  },
);
