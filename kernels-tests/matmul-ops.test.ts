import { beforeAll, describe, expect, test } from 'vitest';
import {
  adaptedLinear,
  add,
  affine,
  backward,
  gradcheck,
  gradients,
  linear,
  matmul,
  noGrad,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { type Activation, matmul as matmulKernel } from '../src/kernels/matmul.js';
import { type DType, encode, fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';
import { onMatrixUnits, product, rounded } from './support/matmul.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const leaf = (shape: number[], seed: number) =>
  tensor(
    gpu,
    random(
      shape.reduce((n, d) => n * d, 1),
      seed,
    ),
    shape,
  ).requireGrad();

describe('like PyTorch', () => {
  const cases = fixture('matmul');
  const load = (name: string, dtype: DType = 'f32') =>
    fromHost(gpu, encode(cases[name].data, dtype), cases[name].shape, dtype);

  test.each(['f32', 'bf16', 'f16'] as const)('linear, weight in %s', async (dtype) => {
    const x = load(`linear.${dtype}.x`).requireGrad();
    const weight = load(`linear.${dtype}.weight`, dtype).requireGrad();
    const bias = load(`linear.${dtype}.bias`).requireGrad();
    const y = linear(x, weight, bias);
    await expectClose(y, cases[`linear.${dtype}.y`].data);
    backward(y, { gradient: load(`linear.${dtype}.grad.y`) });
    await expectClose(x.grad!, cases[`linear.${dtype}.grad.x`].data);
    await expectClose(weight.grad!, cases[`linear.${dtype}.grad.weight`].data);
    await expectClose(bias.grad!, cases[`linear.${dtype}.grad.bias`].data);
    expect(weight.grad!.dtype).toBe('f32');
  });

  test('batched product', async () => {
    const [a, b] = [load('batched.a').requireGrad(), load('batched.b').requireGrad()];
    const y = matmul(a, b);
    await expectClose(y, cases['batched.y'].data);
    backward(y, { gradient: load('batched.grad.y') });
    await expectClose(a.grad!, cases['batched.grad.a'].data);
    await expectClose(b.grad!, cases['batched.grad.b'].data);
  });

  test.each(['gelu', 'gelu-tanh', 'quick-gelu', 'silu', 'relu'] as Activation[])(
    'fused %s',
    async (activation) => {
      const [bias, residual] = [load('epilogue.bias'), load('epilogue.residual')];
      const options = { transposeB: true, bias, residual, activation };
      const y = matmulKernel(load('epilogue.x'), load('epilogue.weight'), options);
      await expectClose(y, cases[`epilogue.${activation}`].data);
    },
  );
});

describe('gradients against finite differences', () => {
  test.each([
    ['matrices', [4, 3], [3, 5]],
    ['batched', [2, 4, 3], [2, 3, 5]],
    ['b shared', [2, 4, 3], [3, 5]],
    ['a shared', [4, 3], [2, 3, 5]],
  ])('matmul, %s', async (_, shapeA, shapeB) => {
    await gradcheck(matmul, [leaf(shapeA, 1), leaf(shapeB, 2)]);
  });

  test('linear', async () => {
    const inputs = [leaf([2, 3, 4], 1), leaf([5, 4], 2), leaf([5], 3), leaf([2, 3, 5], 4)];
    await gradcheck((x, w, b) => linear(x, w, b), inputs.slice(0, 3));
    await gradcheck((x, w, b, residual) => linear(x, w, b, { residual }), inputs);
  });

  test('a low-rank term that shares its input', async () => {
    const inputs = [leaf([2, 3, 4], 1), leaf([5, 4], 2), leaf([5], 3), leaf([2, 4], 4), leaf([5, 2], 5)];
    await gradcheck((x, w, bias, a, b) => adaptedLinear(x, w, bias, { a, b, scale: 0.75, input: x }), inputs);
  });

  test('a low-rank term with an input of its own', async () => {
    const inputs = [
      [3, 4],
      [5, 4],
      [2, 4],
      [5, 2],
      [3, 4],
      [3, 5],
    ].map((shape, i) => leaf(shape, i));
    await gradcheck(
      (x, w, a, b, input, residual) => adaptedLinear(x, w, null, { a, b, scale: -2, input }, { residual }),
      inputs,
    );
  });
});

test('weight gradients accumulate in place', async () => {
  const [x, w] = [leaf([6, 4], 1), leaf([5, 4], 2)];
  const gradient = tensor(gpu, random(30, 3), [6, 5]);
  backward(linear(x, w), { gradient });
  const first = w.grad;
  backward(linear(x, w), { gradient });
  expect(w.grad).toBe(first);
  const once = product(random(30, 3), random(24, 1), { M: 5, N: 4, K: 6, transposeA: true });
  await expectClose(
    w.grad!,
    once.map((v) => 2 * v),
  );
});

test('a low-rank term is the sum of its parts, and so are its gradients, which accumulate', async () => {
  const leaves = () => [leaf([6, 4], 1), leaf([5, 4], 2), leaf([2, 4], 3), leaf([5, 2], 4)];
  const gradient = tensor(gpu, random(30, 3), [6, 5]);
  const parts = leaves();
  const whole = leaves();
  for (let i = 0; i < 2; i++) {
    const [x, w, a, b] = parts;
    const sum = add(linear(x, w), affine(linear(linear(x, a), b), 0.5));
    const [x2, w2, a2, b2] = whole;
    const y = adaptedLinear(x2, w2, null, { a: a2, b: b2, scale: 0.5, input: x2 });
    await expectClose(y, await sum.data());
    backward(sum, { gradient });
    backward(y, { gradient });
  }
  for (const [i, part] of parts.entries()) await expectClose(whole[i].grad!, await part.grad!.data());
});

test('on matrix units gradients keep f32 but with weights in 16 bits, and adapters keep it beside those', async ({
  skip,
}) => {
  skip(!(await testTiers()).includes('subgroup-matrix'), 'the adapter has no matrix units');
  const on = await testGpu('subgroup-matrix');
  const [T, D, O, R] = [70, 48, 40, 4];
  const values = {
    x: random(T * D, 1),
    w: random(O * D, 2),
    a: random(R * D, 3),
    b: random(O * R, 4),
    g: random(T * O, 5),
  };
  for (const dtype of ['f32', 'bf16'] as const) {
    const w = rounded(values.w, dtype);
    const rounds = dtype === 'f32' ? 1e-6 : 5e-4;
    await onMatrixUnits(on, async () => {
      const [x, a, b] = [
        tensor(on, values.x, [T, D]).requireGrad(),
        tensor(on, values.a, [R, D]).requireGrad(),
        tensor(on, values.b, [O, R]).requireGrad(),
      ];
      const weight = fromHost(on, encode(w, dtype), [O, D], dtype).requireGrad();
      const y = adaptedLinear(x, weight, null, { a, b, scale: 0.5, input: x });
      const narrow = product(values.x, values.a, { M: T, N: R, K: D, transposeB: true });
      const wide = product(values.x, w, { M: T, N: O, K: D, transposeB: true });
      const term = product(narrow, values.b, { M: T, N: O, K: R, transposeB: true });
      await expectClose(
        y,
        wide.map((v, i) => v + 0.5 * term[i]),
        1e-6,
      );
      backward(y, { gradient: tensor(on, values.g, [T, O]) });
      const gNarrow = product(values.g, values.b, { M: T, N: R, K: O }).map((v) => 0.5 * v);
      const through = product(values.g, w, { M: T, N: D, K: O });
      const beside = product(gNarrow, values.a, { M: T, N: D, K: R });
      await expectClose(
        x.grad!,
        through.map((v, i) => v + beside[i]),
        rounds,
      );
      const summed = { K: T, transposeA: true };
      await expectClose(weight.grad!, product(values.g, values.x, { M: O, N: D, ...summed }), rounds);
      await expectClose(a.grad!, product(gNarrow, values.x, { M: R, N: D, ...summed }), 1e-6);
      await expectClose(
        b.grad!,
        product(values.g, narrow, { M: O, N: R, ...summed }).map((v) => 0.5 * v),
        1e-6,
      );
    });
  }
});

test('an existing gradient stays out of gradients()', async () => {
  const [x, w] = [leaf([6, 4], 1), leaf([5, 4], 2)];
  const gradient = tensor(gpu, random(30, 3), [6, 5]);
  backward(linear(x, w), { gradient });
  const before = await w.grad!.data();
  const [dw] = gradients(linear(x, w), [w], { gradient });
  expect(await dw.data()).toEqual(before);
  expect(await w.grad!.data()).toEqual(before);
});

test('frozen operands cost neither work nor memory', async () => {
  const x = leaf([300, 64], 1);
  const w = tensor(gpu, random(32 * 64, 2), [32, 64]);
  const gradient = tensor(gpu, random(300 * 32, 3), [300, 32]);
  const live = () => gpu.memory().liveTotal;
  // A frozen weight: x itself is not kept for the backward pass.
  const before = live();
  const frozen = scope(() => {
    const hidden = linear(x, w);
    return linear(hidden, tensor(gpu, random(32 * 32, 4), [32, 32]));
  });
  const kept = live() - before;
  expect(kept).toBeLessThan(2 * 4 * 300 * 32);
  backward(frozen, { gradient });
  expect(w.grad).toBeNull();
  frozen.dispose();
  // Nothing tracked: no graph.
  const y = noGrad(() => linear(x, w));
  expect(y.tracked).toBe(false);
});

test('linear explains mistakes', () => {
  scope(() => {
    const make = (...shape: number[]): Tensor => leaf(shape, 1);
    expect(() => linear(make(2, 3), make(4, 5))).toThrow(
      'linear: x [2, 3] and weight [4, 5] do not fit; expected [..., in] and [out, in]',
    );
    expect(() => linear(make(3), make(4, 3))).toThrow('linear: x [3] and weight [4, 3] do not fit');
    expect(() => linear(make(2, 3), make(4, 3), make(3))).toThrow('expected shape [4]');
  });
});
