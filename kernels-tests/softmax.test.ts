import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { gradcheck, logSoftmax, mean, softmax, sum } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import { type SoftmaxKind, softmaxBackward, softmaxForward } from '../src/kernels/softmax.js';
import { scope, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const KINDS: SoftmaxKind[] = ['softmax', 'logSoftmax'];

/** Float64 softmax and its gradient, row by row. */
function reference(kind: SoftmaxKind, x: ArrayLike<number>, g: ArrayLike<number>, n: number) {
  const y: number[] = [];
  const dx: number[] = [];
  for (let first = 0; first < x.length; first += n) {
    const row = Array.from({ length: n }, (_, i) => x[first + i]);
    const top = Math.max(...row);
    const total = row.reduce((t, v) => t + Math.exp(v - top), 0);
    const p = row.map((v) => Math.exp(v - top) / total);
    const dot = p.reduce((t, v, i) => t + v * g[first + i], 0);
    const sumG = p.reduce((t, _, i) => t + g[first + i], 0);
    y.push(...(kind === 'softmax' ? p : row.map((v) => v - top - Math.log(total))));
    dx.push(...p.map((v, i) => (kind === 'softmax' ? v * (g[first + i] - dot) : g[first + i] - v * sumG)));
  }
  return { y, dx };
}

async function check(on: Gpu, kind: SoftmaxKind, rows: number, n: number, scale = 5): Promise<void> {
  const x = random(rows * n, 1).map((v) => v * scale);
  const g = random(rows * n, 2);
  scope(() => full(on, [rows, n], Number.NaN));
  const [y, dx] = scope(() => {
    const result = softmaxForward(kind, tensor(on, x, [rows, n]));
    return [result, softmaxBackward(kind, result, tensor(on, g, [rows, n]))];
  });
  const expected = reference(kind, x, g, n);
  await expectClose(y, expected.y, 2e-6);
  // A nearly one-hot row leaves gradients that are differences of nearly equal numbers.
  await expectClose(dx, expected.dx, scale > 100 ? 1e-4 : 5e-6);
  y.dispose();
  dx.dispose();
}

describe.each(KINDS)('%s', (kind) => {
  test('random row lengths, odd and even', async () => {
    await check(gpu, kind, 1, 1);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 }), (rows, n) =>
        check(gpu, kind, rows, n),
      ),
      { numRuns: 6, seed: 3 },
    );
  });

  test('rows too long for registers', async () => {
    await check(gpu, kind, 3, 8200);
    await check(gpu, kind, 2, 4101);
  });

  test('all tiers', async () => {
    for (const tier of await testTiers()) await check(await testGpu(tier), kind, 5, 129);
  });

  test('as on a GPU: several subgroups per row', async () => {
    for (const tier of ['base', (await testTiers()).at(-1)] as const) {
      const on = await testGpu(tier, { software: false });
      await check(on, kind, 3, 520);
      await check(on, kind, 2, 1030);
      await check(on, kind, 2, 8200);
    }
  });

  test('large scores neither overflow nor lose the small ones', async () => {
    await check(gpu, kind, 4, 64, 1e4);
  });

  test('tensors over the binding limit', async () => {
    await check(await testGpu(undefined, { maxBindingBytes: 4096 }), kind, 37, 65);
  });

  test('gradient through autograd', async () => {
    const op = kind === 'softmax' ? softmax : logSoftmax;
    await gradcheck(op, [tensor(gpu, random(12, 4), [3, 4]).requireGrad()]);
  });

  test('agrees with PyTorch', async () => {
    const f = fixture('softmax');
    const { shape, data } = f[`${kind}.x`];
    const [y, dx] = scope(() => {
      const result = softmaxForward(kind, tensor(gpu, data, shape));
      return [result, softmaxBackward(kind, result, tensor(gpu, f[`${kind}.grad.y`].data, shape))];
    });
    await expectClose(y, f[`${kind}.y`].data, 1e-6);
    await expectClose(dx, f[`${kind}.grad.x`].data, 5e-6);
  });
});

test('a bad element spoils its row only', async () => {
  const x = new Float32Array(4 * 6).fill(1);
  x[1] = Number.NaN;
  x[6 + 5] = Number.POSITIVE_INFINITY;
  x.fill(Number.NEGATIVE_INFINITY, 12, 18);
  x[18] = Number.NEGATIVE_INFINITY;
  const y = await scope(() => softmaxForward('softmax', tensor(gpu, x, [4, 6]))).data();
  expect(y.slice(0, 6)).toEqual(new Float32Array(6).fill(Number.NaN));
  expect(y[6 + 5]).toBeNaN();
  expect(y.slice(12, 18)).toEqual(new Float32Array(6).fill(Number.NaN));
  expect(y[18]).toBe(0);
  expect(y[19]).toBeCloseTo(0.2, 6);
});

test('reruns agree bit for bit', async () => {
  const run = () => scope(() => softmaxForward('softmax', tensor(gpu, random(3000, 5), [3, 1000])));
  expect(await run().raw()).toEqual(await run().raw());
});

test('gradients of sum and mean', async () => {
  const x = () => tensor(gpu, random(24, 6), [2, 3, 4]).requireGrad();
  await gradcheck((t) => sum(t), [x()]);
  await gradcheck((t) => mean(t), [x()]);
  await gradcheck((t) => sum(t, { axis: 1 }), [x()]);
  await gradcheck((t) => mean(t, { axis: -1, keepDims: true }), [x()]);
  const small = await testGpu(undefined, { maxBindingBytes: 4096 });
  await gradcheck((t) => sum(t, { axis: 1 }), [tensor(small, random(3 * 2000, 7), [3, 2000]).requireGrad()]);
  await gradcheck((t) => mean(t), [tensor(small, random(5000, 8)).requireGrad()]);
});

test('explains wrong arguments', () => {
  scope(() => {
    const x = tensor(gpu, random(6), [2, 3]);
    expect(() => softmaxForward('softmax', tensor(gpu, 1))).toThrow('axis -1 does not exist');
    expect(() => softmaxBackward('softmax', x, tensor(gpu, random(6), [3, 2]))).toThrow('shapes differ');
    expect(() => softmaxForward('softmax', tensor(gpu, Int32Array.of(1, 2)))).toThrow('x is i32[2]');
  });
});
