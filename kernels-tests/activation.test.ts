import { beforeAll, describe, expect, test } from 'vitest';
import {
  abs,
  exp,
  geglu,
  gelu,
  geluTanh,
  gradcheck,
  log,
  neg,
  quickGelu,
  reciprocal,
  relu,
  sigmoid,
  silu,
  sqrt,
  square,
  swiglu,
  tanh,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import {
  gatedBackward,
  gatedForward,
  UNARY,
  type UnaryOp,
  unary,
  unaryBackward,
} from '../src/kernels/activation.js';
import { full } from '../src/kernels/elementwise.js';
import { scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Float64 error function: its series, and a continued fraction for the tail. */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x;
    let total = x;
    for (let k = 1; Math.abs(term) > 1e-18; k++) {
      term *= (-x * x) / k;
      total += term / (2 * k + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const cdf = (x: number) => erfc(-x / Math.SQRT2) / 2;
const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** A smooth function's derivative in float64, by Richardson extrapolation of central differences. */
function derivative(f: (x: number) => number, x: number): number {
  const slope = (h: number) => (f(x + h) - f(x - h)) / (2 * h);
  const h = 1e-3 * Math.min(1, Math.abs(x) || 1);
  return (4 * slope(h / 2) - slope(h)) / 3;
}

interface Reference {
  readonly f: (x: number) => number;
  /** Range of the arguments. */
  readonly range: readonly [number, number];
}

const u = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const REFERENCES: Record<UnaryOp, Reference> = {
  silu: { f: (x) => x * logistic(x), range: [-20, 20] },
  gelu: { f: (x) => x * cdf(x), range: [-8, 8] },
  geluTanh: { f: (x) => 0.5 * x * (1 + Math.tanh(u(x))), range: [-8, 8] },
  quickGelu: { f: (x) => x * logistic(1.702 * x), range: [-20, 20] },
  relu: { f: (x) => Math.max(x, 0), range: [-5, 5] },
  sigmoid: { f: logistic, range: [-20, 20] },
  tanh: { f: Math.tanh, range: [-12, 12] },
  exp: { f: Math.exp, range: [-10, 10] },
  log: { f: Math.log, range: [0.01, 30] },
  sqrt: { f: Math.sqrt, range: [0.01, 30] },
  square: { f: (x) => x * x, range: [-5, 5] },
  reciprocal: { f: (x) => 1 / x, range: [0.1, 30] },
  abs: { f: Math.abs, range: [-5, 5] },
};

const DIFFERENTIABLE: Record<UnaryOp, (x: Tensor) => Tensor> = {
  silu,
  gelu,
  geluTanh,
  quickGelu,
  relu,
  sigmoid,
  tanh,
  exp,
  log,
  sqrt,
  square,
  reciprocal,
  abs,
};

/** Largest error of any element, relative to it where it is not small. */
function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor: number): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]) / Math.max(floor, Math.abs(expected[i])));
  }
  return worst;
}

async function both(on: Gpu, op: UnaryOp, x: Float32Array): Promise<[Float32Array, Float32Array]> {
  scope(() => full(on, [x.length], Number.NaN));
  const [y, dx] = scope(() => {
    const tx = tensor(on, x);
    const result = unary(op, tx);
    const saved = UNARY[op].saves === 'x' ? tx : result;
    return [result, unaryBackward(op, saved, full(on, [x.length], 1))];
  });
  const found: [Float32Array, Float32Array] = [await y.data(), await dx.data()];
  y.dispose();
  dx.dispose();
  return found;
}

describe.each(Object.keys(UNARY) as UnaryOp[])('%s', (op) => {
  test('function and derivative within 1e-6 of float64', async () => {
    const { f, range } = REFERENCES[op];
    const x = Float32Array.from(
      { length: 4001 },
      (_, i) => range[0] + ((range[1] - range[0]) * (i + 0.37)) / 4001,
    );
    const [y, dx] = await both(gpu, op, x);
    expect(worstError(y, Array.from(x, f), 0.1)).toBeLessThan(op === 'exp' ? 2e-6 : 1e-6);
    const slopes = Array.from(x, (v) => derivative(f, v));
    expect(worstError(dx, slopes, 0.2)).toBeLessThan(op === 'exp' ? 2e-6 : 1e-6);
  });

  test('NaN goes through; far arguments stay finite where the function does', async () => {
    const x = Float32Array.of(Number.NaN, 1000, -1000, 1e4, -1e4);
    const [y, dx] = await both(gpu, op, x);
    expect(y[0]).toBeNaN();
    if (op === 'log' || op === 'sqrt' || op === 'exp') return;
    for (let i = 1; i < x.length; i++) {
      const expected = REFERENCES[op].f(x[i]);
      expect(Math.abs(y[i] - expected)).toBeLessThanOrEqual(2e-6 * Math.abs(expected) + 1e-30);
      expect(Number.isFinite(dx[i])).toBe(true);
    }
  });

  test('gradient through autograd', async () => {
    const x = random(12, 3).map((v) => v + (REFERENCES[op].range[0] > 0 ? 2 : Math.sign(v)));
    await gradcheck(DIFFERENTIABLE[op], [tensor(gpu, x, [3, 4]).requireGrad()], { step: 1e-3 });
  });
});

test('neg', () => gradcheck(neg, [tensor(gpu, random(5, 1)).requireGrad()]));

test.each(['silu', 'gelu', 'geluTanh', 'quickGelu', 'sigmoid', 'tanh'] as const)(
  '%s agrees with PyTorch',
  async (op) => {
    const f = fixture('activation');
    const [y, dx] = await both(gpu, op, f[`${op}.x`].data as Float32Array);
    expect(relativeError(y, f[`${op}.y`].data)).toBeLessThan(1e-6);
    expect(relativeError(dx, f[`${op}.grad.x`].data)).toBeLessThan(1e-6);
  },
);

describe.each([
  ['swiglu', 'silu', swiglu],
  ['geglu', 'geluTanh', geglu],
] as const)('%s', (name, activation, op) => {
  const { f } = REFERENCES[activation];

  async function check(on: Gpu, rows: number, width: number, joint: boolean): Promise<void> {
    const gate = random(rows * width, 1).map((v) => 4 * v);
    const up = random(rows * width, 2);
    const g = random(rows * width, 3);
    const interleave = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from({ length: rows }, (_, r) =>
        [a, b].flatMap((t) => Array.from({ length: width }, (_, i) => t[r * width + i])),
      ).flat();
    const results = scope((): Tensor[] => {
      const shape = [rows, width];
      const tg = joint ? tensor(on, interleave(gate, up), [rows, 2 * width]) : tensor(on, gate, shape);
      const tu = joint ? null : tensor(on, up, shape);
      full(on, [rows, width], Number.NaN).dispose();
      const [dgate, dup] = gatedBackward(name, tg, tu, tensor(on, g, shape));
      return [gatedForward(name, tg, tu), dgate, ...(dup ? [dup] : [])];
    });
    expect(results[0].shape).toEqual([rows, width]);
    const y = Array.from(gate, (v, i) => f(v) * up[i]);
    const dgate = Array.from(gate, (v, i) => g[i] * up[i] * derivative(f, v));
    const dup = Array.from(gate, (v, i) => g[i] * f(v));
    await expectClose(results[0], y, 1e-6);
    await expectClose(results[1], joint ? interleave(dgate, dup) : dgate, 1e-6);
    if (!joint) await expectClose(results[2], dup, 1e-6);
  }

  test.each([false, true])('two tensors or one (%s)', async (joint) => {
    await check(gpu, 1, 1, joint);
    await check(gpu, 7, 33, joint);
    await check(gpu, 20, 256, joint);
    await check(await testGpu(undefined, { maxBindingBytes: 4096 }), 300, 30, joint);
    await check(await testGpu(undefined, { software: false }), 9, 280, joint);
  });

  test('gradients through autograd', async () => {
    const make = (shape: number[], seed: number) =>
      tensor(gpu, random(shape[0] * shape[1], seed), shape).requireGrad();
    await gradcheck((a, b) => op(a, b), [make([3, 4], 1), make([3, 4], 2)]);
    await gradcheck((a) => op(a), [make([3, 8], 3)]);
  });

  test('explains wrong arguments', () => {
    scope(() => {
      const x = tensor(gpu, random(6), [2, 3]);
      expect(() => op(x)).toThrow('its last dimension must be even');
      expect(() => op(x, tensor(gpu, random(6), [3, 2]))).toThrow(`${name}: shapes differ`);
      expect(() => unary('silu', tensor(gpu, Int32Array.of(1)))).toThrow('silu: x is i32[1]');
    });
  });
});

test('swiglu agrees with PyTorch', async () => {
  const f = fixture('activation');
  const at = (name: string) => tensor(gpu, f[`swiglu.${name}`].data, f[`swiglu.${name}`].shape);
  const [y, dgate, dup] = scope(() => {
    const [gate, up] = [at('gate'), at('up')];
    return [gatedForward('swiglu', gate, up), ...gatedBackward('swiglu', gate, up, at('grad.y'))] as Tensor[];
  });
  await expectClose(y, f['swiglu.y'].data, 1e-6);
  await expectClose(dgate, f['swiglu.grad.gate'].data, 1e-6);
  await expectClose(dup, f['swiglu.grad.up'].data, 1e-6);
});
