/** The kernels behind the measured limits do the work that is counted, and each limit is there where the adapter has it. */
import { beforeAll, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { bestMatrixConfig, measureRoofline } from '../src/kernels/roofline.js';
import { launchElementwise } from '../src/kernels/support.js';
import { empty, scope, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** What an invocation of `roofline/fma` stores: the sum of 16 chains of v = 0.75 v + 0.125, 16 steps a turn. */
function chains(id: number, turns: number, numbers: number): number {
  let sum = 0;
  for (let chain = 0; chain < 16; chain++) {
    let v = (id % 256) * 0.001 + chain;
    for (let step = 0; step < 16 * turns; step++) v = 0.75 * v + 0.125;
    sum += v;
  }
  return sum * numbers;
}

test.each([false, true])('multiply-adds are all done, packed f16: %s', async (f16) => {
  if (f16 && !gpu.has.f16) return;
  const y = empty(gpu, [512]);
  // One turn, so that the start still shows in the result.
  gpu.launch(
    'roofline/fma',
    { sink: y },
    { turns: 1 },
    {
      groups: [8],
      defines: { TYPE_F16: f16 },
      constants: { WORKGROUP: 64 },
    },
  );
  const expected = Float64Array.from({ length: 512 }, (_, id) => chains(id, 1, f16 ? 2 : 1));
  await expectClose(y, expected, f16 ? 2e-3 : 1e-6);
});

test('the copy copies', async () => {
  const values = random(4097);
  const y = scope(() => {
    const out = empty(gpu, [4097]);
    launchElementwise(gpu, 'roofline/copy', { x: tensor(gpu, values), y: out }, {});
    return out;
  });
  expect(await y.data()).toEqual(values);
});

test('every limit of the adapter is measured', async () => {
  const { f32, f16, matrix, bandwidth, dispatchMicroseconds } = await measureRoofline(gpu);
  for (const limit of [f32, bandwidth]) expect(limit).toBeGreaterThan(1e6);
  expect(f16 !== null).toBe(gpu.has.f16);
  expect(matrix !== null).toBe(bestMatrixConfig(gpu) !== null);
  expect(dispatchMicroseconds).toBeGreaterThan(0);
});
