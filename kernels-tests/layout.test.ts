import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  add,
  backward,
  concat,
  gatherRows,
  gradcheck,
  mul,
  narrow,
  permute,
  permuteRows,
  scatterRows,
  split,
  sum,
  transpose,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import { type DType, fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const count = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

/** A tensor whose elements all differ, in any dtype, and its host elements. */
function numbered(
  on: Gpu,
  shape: readonly number[],
  dtype: DType,
): { t: Tensor; host: Uint16Array | Float32Array } {
  const size = count(shape);
  const host = dtype === 'f32' ? Float32Array.from({ length: size }, (_, i) => i + 1) : new Uint16Array(size);
  // 16-bit patterns: finite numbers of both formats, all different for up to 30000 elements.
  if (host instanceof Uint16Array) for (let i = 0; i < size; i++) host[i] = 0x0400 + i;
  return { t: fromHost(on, host, shape, dtype), host };
}

/** Reference permutation on the host. */
function permuted<T extends ArrayLike<number>>(
  x: T,
  shape: readonly number[],
  axes: readonly number[],
): number[] {
  const strides = shape.map((_, i) => count(shape.slice(i + 1)));
  const out: number[] = [];
  const walk = (level: number, at: number) => {
    if (level === axes.length) return void out.push(x[at]);
    for (let i = 0; i < shape[axes[level]]; i++) walk(level + 1, at + i * strides[axes[level]]);
  };
  walk(0, 0);
  return out;
}

async function checkPermute(
  on: Gpu,
  shape: readonly number[],
  axes: readonly number[],
  dtype: DType,
): Promise<void> {
  const { t, host } = numbered(on, shape, dtype);
  scope(() => full(on, [count(shape)], Number.NaN));
  const y = permute(t, axes);
  expect(y.shape).toEqual(axes.map((a) => shape[a]));
  expect(y.dtype).toBe(dtype);
  expect(Array.from(await y.raw())).toEqual(permuted(host, shape, axes));
  t.dispose();
  y.dispose();
}

describe('permute', () => {
  test('random shapes up to five axes, every dtype', async () => {
    const dims = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 });
    const dtype = fc.constantFrom<DType>('f32', 'f16', 'bf16');
    await fc.assert(
      fc.asyncProperty(dims, fc.infiniteStream(fc.nat()), dtype, async (shape, keys, kind) => {
        const order = shape.map((_, i) => ({ i, key: keys.next().value as number }));
        const axes = order.sort((a, b) => a.key - b.key).map(({ i }) => i);
        await checkPermute(gpu, shape, axes, kind);
      }),
      { numRuns: 40, seed: 13 },
    );
  });

  test('matrices, batches of them, and heads', async () => {
    await checkPermute(gpu, [100, 67], [1, 0], 'f32');
    await checkPermute(gpu, [3, 33, 48], [0, 2, 1], 'f32');
    await checkPermute(gpu, [2, 9, 4, 8], [0, 2, 1, 3], 'f32');
    await checkPermute(gpu, [2, 9, 4, 8], [0, 2, 1, 3], 'bf16');
    await checkPermute(gpu, [5, 1, 7], [2, 1, 0], 'f32');
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    await checkPermute(small, [50, 20, 9], [0, 2, 1], 'f32');
    await checkPermute(small, [50, 5, 4, 8], [0, 2, 1, 3], 'f32');
  });

  test('transposes as on a GPU', async () => {
    const on = await testGpu(undefined, { software: false });
    await checkPermute(on, [100, 67], [1, 0], 'f32');
    await checkPermute(on, [3, 33, 48], [0, 2, 1], 'f32');
    await checkPermute(on, [3, 9, 4, 300], [0, 2, 1, 3], 'f32');
  });

  test('gradient, negative axes, transpose', async () => {
    await gradcheck((t) => permute(t, [-1, 0, 1]), [tensor(gpu, random(24, 1), [2, 3, 4]).requireGrad()]);
    await gradcheck((t) => transpose(t), [tensor(gpu, random(12, 1), [3, 4]).requireGrad()]);
    const f = fixture('layout');
    const x = tensor(gpu, f['permute.x'].data, f['permute.x'].shape).requireGrad();
    const y = permute(x, [2, 0, 3, 1]);
    await expectClose(y, f['permute.y'].data, 0);
    backward(y, { gradient: tensor(gpu, f['permute.grad.y'].data, y.shape) });
    await expectClose(x.grad as Tensor, f['permute.grad.x'].data, 0);
  });

  test('explains wrong axes', () => {
    scope(() => {
      const x = tensor(gpu, random(6), [2, 3]);
      expect(() => permute(x, [0, 0])).toThrow('permute: axes [0, 0] are not a permutation');
      const many = tensor(gpu, random(64), [2, 2, 2, 2, 2, 2]);
      expect(() => permute(many, [5, 4, 3, 2, 1, 0])).toThrow('more than five separate axes');
    });
  });
});

/** Reference slice of one axis. */
function sliced(
  x: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  start: number,
  length: number,
): number[] {
  const inner = count(shape.slice(axis + 1));
  return Array.from(x).filter((_, i) => {
    const at = Math.floor(i / inner) % shape[axis];
    return at >= start && at < start + length;
  });
}

describe('split, narrow and concat', () => {
  test('random shapes, axes and dtypes; concat undoes split', async () => {
    const dims = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });
    const dtype = fc.constantFrom<DType>('f32', 'f16', 'bf16');
    await fc.assert(
      fc.asyncProperty(dims, fc.nat(3), fc.nat(6), dtype, async (shape, pick, cut, kind) => {
        const axis = pick % shape.length;
        const first = 1 + (cut % shape[axis]);
        const sizes = [first, shape[axis] - first].filter((n) => n > 0);
        const { t, host } = numbered(gpu, shape, kind);
        scope(() => full(gpu, [count(shape)], Number.NaN));
        const parts = split(t, sizes, axis);
        const whole = concat(parts, axis - shape.length);
        expect(Array.from(await whole.raw())).toEqual(Array.from(host));
        expect(whole.dtype).toBe(kind);
        expect(Array.from(await parts[0].raw())).toEqual(sliced(host, shape, axis, 0, first));
        const last = narrow(t, axis, shape[axis] - 1, 1);
        expect(Array.from(await last.raw())).toEqual(sliced(host, shape, axis, shape[axis] - 1, 1));
        for (const made of [t, ...parts, whole, last]) made.dispose();
      }),
      { numRuns: 40, seed: 17 },
    );
  });

  test('tensors over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    const { t, host } = numbered(small, [200, 30], 'f32');
    const [a, b] = split(t, [11, 19], 1);
    expect(Array.from(await b.raw())).toEqual(sliced(host, [200, 30], 1, 11, 19));
    expect(Array.from(await concat([a, b], 1).raw())).toEqual(Array.from(host));
    expect(Array.from(await narrow(t, 0, 7, 170).raw())).toEqual(sliced(host, [200, 30], 0, 7, 170));
  });

  test('gradients', async () => {
    const x = () => tensor(gpu, random(24, 2), [2, 6, 2]).requireGrad();
    for (const [axis, start, length] of [
      [1, 0, 2],
      [1, 2, 3],
      [-1, 1, 1],
      [0, 0, 1],
      [0, 0, 2],
    ]) {
      await gradcheck((t) => narrow(t, axis, start, length), [x()]);
    }
    await gradcheck(
      (t) => {
        const [a, b, c] = split(t, [1, 2, 3], 1);
        return add(mul(a, narrow(c, 1, 1, 1)), sum(b, { axis: 1, keepDims: true }));
      },
      [x()],
    );
    await gradcheck((t) => split(t, [1, 2, 3], 1)[1], [x()]);
    await gradcheck(
      (a, b) => concat([a, b, a], 1),
      [x(), tensor(gpu, random(8, 3), [2, 2, 2]).requireGrad()],
    );
    const frozen = tensor(gpu, random(8, 3), [2, 2, 2]);
    await gradcheck((a) => concat([frozen, a], 1), [x()]);
  });

  test('explains wrong arguments', () => {
    scope(() => {
      const x = tensor(gpu, random(6), [2, 3]);
      expect(() => split(x, [1, 1], 1)).toThrow('split: parts of [1, 1] do not make up axis 1 of [2, 3]');
      expect(() => narrow(x, 1, 2, 2)).toThrow('narrow: positions 2 to 4 do not exist along axis 1');
      expect(() => concat([x, tensor(gpu, random(4), [2, 2])], 0)).toThrow(
        'concat: f32[2, 2] does not fit f32[2, 3]',
      );
      expect(() => concat([], 0)).toThrow('nothing to join');
    });
  });
});

describe('rows by index', () => {
  test('gather, permute and scatter of random rows', async () => {
    for (const [rows, dim, limit] of [
      [7, 3, 0],
      [64, 8, 0],
      [300, 20, 4096],
    ]) {
      const on = limit ? await testGpu(undefined, { maxBindingBytes: limit }) : gpu;
      const x = random(rows * dim, 1);
      const y = random(rows * dim, 2);
      const order = Array.from(random(rows, 3), (key, i) => ({ key, i })).sort((a, b) => a.key - b.key);
      const ids = order.map(({ i }) => i);
      const some = ids.slice(0, Math.ceil(rows / 3));
      const rowOf = (t: Float32Array, r: number) => Array.from(t.slice(r * dim, (r + 1) * dim));
      const results = scope(() => {
        const tx = tensor(on, x, [rows, dim]);
        const ty = tensor(on, y.slice(0, some.length * dim), [some.length, dim]);
        return [gatherRows(tx, [...some, some[0]]), permuteRows(tx, ids), scatterRows(tx, ty, some)];
      });
      const scattered = Array.from({ length: rows }, (_, r) =>
        some.includes(r) ? rowOf(y, some.indexOf(r)) : rowOf(x, r),
      );
      await expectClose(
        results[0],
        [...some, some[0]].flatMap((r) => rowOf(x, r)),
        0,
      );
      await expectClose(
        results[1],
        ids.flatMap((r) => rowOf(x, r)),
        0,
      );
      await expectClose(results[2], scattered.flat(), 0);
    }
  });

  test('gradients, repeated rows included', async () => {
    const x = () => tensor(gpu, random(24, 2), [4, 2, 3]).requireGrad();
    await gradcheck((t) => gatherRows(t, [3, 0, 3, 3, 1]), [x()]);
    await gradcheck((t) => permuteRows(t, [2, 0, 3, 1]), [x()]);
    await gradcheck(
      (t, r) => scatterRows(t, r, [2, 0]),
      [x(), tensor(gpu, random(12, 4), [2, 2, 3]).requireGrad()],
    );
    const device = tensor(gpu, Int32Array.of(1, 1, 2));
    await gradcheck((t) => gatherRows(t, device), [x()]);
  });

  test('agrees with PyTorch', async () => {
    const f = fixture('layout');
    const at = (name: string) => tensor(gpu, f[name].data, f[name].shape);
    const x = at('scatter.x').requireGrad();
    const rows = at('scatter.rows').requireGrad();
    const y = scatterRows(x, rows, f['scatter.ids'].data);
    await expectClose(y, f['scatter.y'].data, 0);
    backward(y, { gradient: at('scatter.grad.y') });
    await expectClose(x.grad as Tensor, f['scatter.grad.x'].data, 0);
    await expectClose(rows.grad as Tensor, f['scatter.grad.rows'].data, 0);
    const z = at('gather.x').requireGrad();
    const picked = gatherRows(z, at('gather.ids'));
    await expectClose(picked, f['gather.y'].data, 0);
    backward(picked, { gradient: at('gather.grad.y') });
    await expectClose(z.grad as Tensor, f['gather.grad.x'].data, 1e-6);
  });

  test('explains wrong arguments', () => {
    scope(() => {
      const x = tensor(gpu, random(6), [2, 3]);
      expect(() => gatherRows(x, [0, 2])).toThrow(
        'gatherRows: row 2 at position 1 is not an integer in 0..1',
      );
      expect(() => permuteRows(x, [1, 1])).toThrow('permuteRows: row 1 is named twice');
      expect(() => permuteRows(x, [1])).toThrow('1 positions do not reorder the 2 rows');
      expect(() => scatterRows(x, tensor(gpu, random(3), [1, 3]), [0, 1])).toThrow('does not hold 2 rows');
      expect(() => gatherRows(x, [])).toThrow('the list of rows is empty');
    });
  });
});
