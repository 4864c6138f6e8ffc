import { expect, test } from 'vitest';
import { gradcheck, openGpu, scope, tensor } from '../src/index.js';
import { expectClose } from './support/compare.js';
import { testGpu } from './support/gpu.js';

test('the example of the README', async () => {
  const gpu = await openGpu();
  const w = tensor(gpu, [
    [0.5, -1],
    [2, 0.25],
  ]).requireGrad();
  const loss = scope(() => {
    const x = tensor(gpu, [
      [1, 2],
      [3, 4],
    ]);
    return x.matmul(w).gelu().sum();
  });
  loss.backward();
  // x w = [4.5, -0.5; 9.5, -2]; gelu and its derivative by hand.
  expect(await loss.item()).toBeCloseTo(13.8002, 3);
  await expectClose(w.grad!, [4.00007, -0.1232, 6.00013, -0.0756], 1e-3);
  await gpu.destroy();
});

test('methods chain, take numbers, and differentiate', async () => {
  const gpu = await testGpu();
  const x = tensor(gpu, [
    [0.3, -0.7, 1.1],
    [0.2, 0.9, -0.4],
  ]).requireGrad();
  const y = tensor(gpu, [
    [1.5, 2, -1],
    [0.5, -2, 3],
  ]).requireGrad();
  const f = (a: typeof x, b: typeof x) =>
    a
      .mul(2)
      .add(1)
      .sub(b)
      .div(3)
      .transpose()
      .matmul(a.tanh().mul(b))
      .reshape([9])
      .softmax()
      .narrow(0, 1, 7)
      .square()
      .mean();
  await gradcheck(f, [x, y], { step: 3e-3 });
  scope(() => {
    const z = x.sub(0.5).div(2);
    expect(z.shape).toEqual([2, 3]);
  });
  x.dispose();
  y.dispose();
});
