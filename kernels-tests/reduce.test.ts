import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import {
  argmax,
  columnSum,
  type ReduceOp,
  reduceAll,
  reduceAxis,
  sumToShape,
} from '../src/kernels/reduce.js';
import { scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu, testTiers } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Float64 reduction of the middle dimension of [outer, n, inner]. */
function reduceReference(
  op: ReduceOp,
  x: ArrayLike<number>,
  outer: number,
  n: number,
  inner: number,
): number[] {
  const out: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let acc = op === 'max' ? Number.NEGATIVE_INFINITY : 0;
      for (let k = 0; k < n; k++) {
        const v = x[(o * n + k) * inner + i];
        acc = op === 'max' ? Math.max(acc, v) : acc + v;
      }
      out.push(op === 'mean' ? acc / n : acc);
    }
  }
  return out;
}

/** Leaves NaNs in the pool memory that the next outputs of this size will get. */
function poison(...sizes: number[]): void {
  scope(() => {
    for (const size of sizes) full(gpu, [size], Number.NaN);
  });
}

const positive = (size: number, seed: number) => random(size, seed).map((v) => v + 1.25);

describe('reduceAxis', () => {
  test('random shapes and axes', async () => {
    const dims = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
    const op = fc.constantFrom<ReduceOp>('sum', 'mean', 'max');
    await fc.assert(
      fc.asyncProperty(dims, fc.nat(3), op, fc.boolean(), async (shape, pick, kind, keepDims) => {
        const axis = pick % shape.length;
        const size = shape.reduce((n, d) => n * d, 1);
        const x = positive(size, 1);
        poison(size / shape[axis]);
        const y = scope(() =>
          reduceAxis(kind, tensor(gpu, x, shape), axis - (pick > 1 ? shape.length : 0), keepDims),
        );
        const rest = shape.filter((_, i) => i !== axis);
        expect(y.shape).toEqual(keepDims ? shape.map((d, i) => (i === axis ? 1 : d)) : rest);
        const outer = shape.slice(0, axis).reduce((n, d) => n * d, 1);
        await expectClose(y, reduceReference(kind, x, outer, shape[axis], size / outer / shape[axis]), 1e-6);
        y.dispose();
      }),
      { numRuns: 30, seed: 11 },
    );
  });

  test('long rows and tall columns are cut into pieces; reruns agree bit for bit', async () => {
    const x = random(2 * 50_001, 2).map((v) => v + 0.5);
    const run = () =>
      scope(() => {
        const t = tensor(gpu, x);
        return [
          reduceAxis('sum', t.alias([2, 50_001]), 1),
          reduceAxis('sum', t.alias([50_001, 2]), 0),
          reduceAll('mean', t),
          reduceAll('max', t),
        ];
      });
    const [a, b] = [run(), run()];
    const expected = [
      reduceReference('sum', x, 2, 50_001, 1),
      reduceReference('sum', x, 1, 50_001, 2),
      reduceReference('mean', x, 1, x.length, 1),
      reduceReference('max', x, 1, x.length, 1),
    ];
    for (const [i, y] of a.entries()) {
      await expectClose(y, expected[i], 1e-6);
      expect(await y.raw()).toEqual(await b[i].raw());
    }
  });

  test.each([true, false])('all tiers agree with float64, software %s', async (software) => {
    const x = random(7 * 1001, 3).map((v) => v + 0.5);
    for (const tier of await testTiers()) {
      const on = await testGpu(tier, { software });
      const [sum, max] = scope(() => {
        const t = tensor(on, x, [7, 1001]);
        return [reduceAxis('sum', t, 1), reduceAxis('max', t, 1)];
      });
      await expectClose(sum, reduceReference('sum', x, 7, 1001, 1), 1e-6);
      await expectClose(max, reduceReference('max', x, 7, 1001, 1), 0);
    }
  });

  test('NaN and infinities go through max and sum', async () => {
    const x = new Float32Array(3 * 100).fill(1);
    x[57] = Number.NaN;
    x.fill(Number.NEGATIVE_INFINITY, 100, 200);
    const results = scope(() => {
      const t = tensor(gpu, x, [3, 100]);
      const turned = tensor(
        gpu,
        Float32Array.from(x, (_, i) => x[(i % 3) * 100 + Math.floor(i / 3)]),
        [100, 3],
      );
      return [reduceAxis('max', t, 1), reduceAxis('max', turned, 0), reduceAxis('sum', t, 1)];
    });
    for (const [i, y] of results.entries()) {
      expect(await y.data()).toEqual(
        Float32Array.from([Number.NaN, Number.NEGATIVE_INFINITY, i === 2 ? 100 : 1]),
      );
    }
  });

  test('tensors over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    const x = random(3 * 3001, 4).map((v) => v + 0.5);
    const cases: [number[], number][] = [
      [[3, 3001], 1],
      [[3001, 3], 0],
      [[3, 3001, 1], 1],
      [[3001, 3], 1],
      [[1, 9003], 1],
    ];
    for (const [shape, axis] of cases) {
      const y = scope(() => reduceAxis('sum', tensor(small, x, shape), axis));
      const outer = shape.slice(0, axis).reduce((n, d) => n * d, 1);
      await expectClose(
        y,
        reduceReference('sum', x, outer, shape[axis], x.length / outer / shape[axis]),
        1e-6,
      );
    }
  });
});

describe('sumToShape', () => {
  test('undoes broadcasting', async () => {
    const cases: [number[], number[]][] = [
      [[2, 3, 4], [4]],
      [
        [2, 3, 4],
        [2, 1, 4],
      ],
      [
        [2, 3, 4, 5],
        [2, 1, 4, 1],
      ],
      [
        [6, 5],
        [1, 1],
      ],
      [[6, 5], []],
      [
        [7, 9],
        [7, 1],
      ],
      [
        [7, 9],
        [7, 9],
      ],
    ];
    for (const [from, to] of cases) {
      const x = random(
        from.reduce((n, d) => n * d, 1),
        5,
      );
      const padded = [...new Array<number>(from.length - to.length).fill(1), ...to];
      const expected = new Float64Array(to.reduce((n, d) => n * d, 1));
      for (let i = 0; i < x.length; i++) {
        let rest = i;
        let at = 0;
        let stride = 1;
        for (let axis = from.length - 1; axis >= 0; axis--) {
          if (padded[axis] > 1) at += (rest % from[axis]) * stride;
          stride *= padded[axis];
          rest = Math.floor(rest / from[axis]);
        }
        expected[at] += x[i];
      }
      const y = scope(() => sumToShape(tensor(gpu, x, from), to));
      expect(y.shape).toEqual(to);
      await expectClose(y, expected, 1e-6);
    }
  });

  test('rejects shapes that were never broadcast', () => {
    scope(() => {
      expect(() => sumToShape(tensor(gpu, random(6), [2, 3]), [2])).toThrow(
        'sumToShape: [2] does not broadcast to [2, 3]',
      );
    });
  });
});

describe('columnSum', () => {
  test('bias gradients, also into an existing one', async () => {
    for (const [rows, columns] of [
      [1, 5],
      [1003, 37],
      [33, 300],
    ]) {
      const x = random(rows * columns, 6);
      const before = random(columns, 7);
      const [fresh, into] = scope((): Tensor[] => {
        const t = tensor(gpu, x, [rows, columns]);
        return [columnSum(t), columnSum(t, tensor(gpu, before))];
      });
      const sums = reduceReference('sum', x, 1, rows, columns);
      await expectClose(fresh, sums, 1e-5);
      await expectClose(
        into,
        sums.map((v, i) => v + before[i]),
        1e-5,
      );
    }
  });
});

describe('argmax', () => {
  test('first of the largest along the last axis', async () => {
    for (const [rows, n] of [
      [1, 1],
      [5, 3],
      [9, 1000],
    ]) {
      const x = random(rows * n, 8).map((v) => Math.round(v * 20));
      const y = scope(() => argmax(tensor(gpu, x, [rows, n])));
      expect(y.dtype).toBe('i32');
      const expected = Array.from({ length: rows }, (_, r) => {
        const row = Array.from(x.slice(r * n, r * n + n));
        return row.indexOf(Math.max(...row));
      });
      expect(await y.raw()).toEqual(Int32Array.from(expected));
    }
  });

  test('NaN is largest, infinities and signed zeros are ordered', async () => {
    const inf = Number.POSITIVE_INFINITY;
    const rows = [
      [1, Number.NaN, inf],
      [-inf, -inf, -3],
      [-0, 0, -1],
      [-inf, -inf, -inf],
    ];
    const y = scope(() => argmax(tensor(gpu, rows)));
    expect(await y.raw()).toEqual(Int32Array.of(1, 2, 0, 0));
  });
});
