import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { affine, axpy, type BinaryOp, binary, cast, full } from '../src/kernels/elementwise.js';
import { decode, encode, scope, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

const OPS: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

describe('binary', () => {
  test.each(Object.keys(OPS) as BinaryOp[])('%s of equal shapes, any size', async (op) => {
    for (const size of [1, 3, 63, 257, 4097]) {
      const a = random(size, 1);
      const b = random(size, 2).map((v) => v + Math.sign(v));
      const y = scope(() => binary(op, tensor(gpu, a), tensor(gpu, b)));
      await expectClose(
        y,
        Array.from(a, (v, i) => OPS[op](v, b[i])),
        1e-6,
      );
      y.dispose();
    }
  });

  test('broadcasts like NumPy', async () => {
    const dim = fc.integer({ min: 1, max: 5 });
    const shapes = fc.array(fc.tuple(dim, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shapes, async (dims) => {
        const shapeA = dims.map(([d, oneA]) => (oneA ? 1 : d));
        const shapeB = dims.map(([d, , oneB]) => (oneB ? 1 : d));
        const size = (s: number[]) => s.reduce((n, d) => n * d, 1);
        const a = random(size(shapeA), 3);
        const b = random(size(shapeB), 4);
        const y = scope(() => binary('sub', tensor(gpu, a, shapeA), tensor(gpu, b, shapeB)));
        const expected: number[] = [];
        const walk = (axis: number, ia: number, ib: number) => {
          if (axis === dims.length) return void expected.push(a[ia] - b[ib]);
          for (let i = 0; i < Math.max(shapeA[axis], shapeB[axis]); i++) {
            walk(
              axis + 1,
              ia * shapeA[axis] + (shapeA[axis] === 1 ? 0 : i),
              ib * shapeB[axis] + (shapeB[axis] === 1 ? 0 : i),
            );
          }
        };
        walk(0, 0, 0);
        await expectClose(y, expected, 1e-6);
        y.dispose();
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  test('explains shapes that do not fit', () => {
    scope(() => {
      expect(() => binary('add', tensor(gpu, random(6), [2, 3]), tensor(gpu, random(4), [4]))).toThrow(
        'add: shapes [2, 3] and [4] do not broadcast',
      );
    });
  });
});

test('affine, axpy and full', async () => {
  const x = random(1001, 5);
  const [y, z, c] = scope(() => {
    const tx = tensor(gpu, x);
    const acc = affine(tx, 2, 1);
    axpy(acc, tx, 3, 0.5);
    return [affine(tx, -1.5, 0.25), acc, full(gpu, [7, 11], 4.5)];
  });
  await expectClose(
    y,
    Array.from(x, (v) => -1.5 * v + 0.25),
    1e-6,
  );
  await expectClose(
    z,
    Array.from(x, (v) => 0.5 * (2 * v + 1) + 3 * v),
    1e-6,
  );
  await expectClose(c, new Array(77).fill(4.5), 0);
});

describe('cast', () => {
  test.each(['f16', 'bf16'] as const)(
    'f32 to %s and back rounds to nearest even, odd sizes too',
    async (dtype) => {
      const values = Float32Array.from([
        ...random(999, 6),
        0,
        -0,
        1 + 2 ** -9,
        1 + 3 * 2 ** -9,
        65504,
        6e-8,
        1e-5,
      ]);
      const [half, back] = scope(() => {
        const h = cast(tensor(gpu, values), dtype);
        return [h, cast(h, 'f32')];
      });
      const expected = encode(values, dtype);
      expect(await half.raw()).toEqual(expected);
      expect(await back.data()).toEqual(decode(expected, dtype));
    },
  );
});

test('tensors over the binding limit are processed in pieces', async () => {
  const small = await testGpu(undefined, { maxBindingBytes: 4096 });
  const a = random(5001, 8);
  const y = scope(() => binary('add', tensor(small, a), affine(tensor(small, a), 2)));
  await expectClose(
    y,
    Array.from(a, (v) => 3 * v),
    1e-6,
  );
});

test('launch parameters travel in uniforms where immediates are missing', async () => {
  const plain = await testGpu(undefined, { forceUniforms: true });
  const results = scope(() => Array.from({ length: 1500 }, (_, i) => full(plain, [3], i)));
  await expectClose(results[0], [0, 0, 0], 0);
  await expectClose(results[1499], [1499, 1499, 1499], 0);
});
