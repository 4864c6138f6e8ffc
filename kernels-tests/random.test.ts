import { beforeAll, describe, expect, test } from 'vitest';
import { checkpoint, dropout, gradcheck, mul } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import {
  dropout as dropoutKernel,
  type RandomStream,
  randomNormal,
  randomUniform,
  randomWords,
  unitFloat,
} from '../src/kernels/random.js';
import { scope, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const ADDRESS: RandomStream = { seed: 0x1234_5678_9abc_def0n, stream: 3, step: 77 };

/** The uniform numbers of a tensor's elements. */
function uniforms(count: number, address: RandomStream): number[] {
  const quads = Array.from({ length: Math.ceil(count / 4) }, (_, position) =>
    randomWords({ ...address, position }),
  );
  return quads.flat().slice(0, count).map(unitFloat);
}

function normals(count: number, address: RandomStream): number[] {
  const u = uniforms(Math.ceil(count / 4) * 4, address);
  const out: number[] = [];
  for (let i = 0; i < u.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - u[i]));
    out.push(radius * Math.cos(2 * Math.PI * u[i + 1]), radius * Math.sin(2 * Math.PI * u[i + 1]));
  }
  return out.slice(0, count);
}

describe('fills', () => {
  test('uniform numbers are those of the host, bit for bit, at any size and in windows', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    for (const [on, size] of [
      [gpu, 1],
      [gpu, 1003],
      [gpu, 1024],
      [small, 2051],
      [small, 4096],
    ] as const) {
      scope(() => full(on, [size], Number.NaN));
      const y = scope(() => randomUniform(on, [size], ADDRESS));
      expect(await y.raw()).toEqual(Float32Array.from(uniforms(size, ADDRESS)));
    }
  });

  test('uniform numbers in a range', async () => {
    const y = scope(() =>
      randomUniform(gpu, [40, 25], { seed: 5, stream: 0, step: 0 }, { low: -2, high: 3 }),
    );
    const expected = uniforms(1000, { seed: 5, stream: 0, step: 0 }).map((u) => -2 + 5 * u);
    await expectClose(y, expected, 1e-7);
  });

  test('normal numbers agree with float64, and have the moments of a normal distribution', async () => {
    const size = 100_002;
    const y = scope(() => randomNormal(gpu, [size], ADDRESS));
    await expectClose(y, normals(size, ADDRESS), 1e-6);
    const z = await scope(() => randomNormal(gpu, [size], ADDRESS, { mean: 1, std: 2 })).data();
    const moment = (k: number) => z.reduce((a, v) => a + ((v - 1) / 2) ** k, 0) / size;
    expect(Math.abs(moment(1))).toBeLessThan(0.015);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.02);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.15);
  });
});

describe('dropout', () => {
  test('drops by the address, at any size and in windows', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    for (const [on, size] of [
      [gpu, 7],
      [gpu, 4000],
      [small, 3001],
      [small, 3000],
    ] as const) {
      const x = random(size, 1).map((v) => v + 2);
      scope(() => full(on, [size], Number.NaN));
      const y = scope(() => dropoutKernel(tensor(on, x), 0.3, ADDRESS));
      const u = uniforms(size, ADDRESS);
      const p = Math.fround(0.3);
      await expectClose(
        y,
        Array.from(x, (v, i) => (u[i] >= p ? v / 0.7 : 0)),
        1e-6,
      );
    }
  });

  test('keeps the right share, other steps drop others, and 0 keeps all', async () => {
    const ones = full(gpu, [20_000], 1);
    const kept = async (step: number) =>
      (await dropoutKernel(ones, 0.25, { ...ADDRESS, step }).data()).map(Math.sign);
    const [a, b] = [await kept(1), await kept(2)];
    expect(Math.abs(a.reduce((n, v) => n + v, 0) / 20_000 - 0.75)).toBeLessThan(0.015);
    expect(a).not.toEqual(b);
    await expectClose(dropoutKernel(ones, 0, ADDRESS), new Array(20_000).fill(1), 0);
  });

  test('gradient, and the same mask when recomputed', async () => {
    const x = () => tensor(gpu, random(40, 2)).requireGrad();
    await gradcheck((t) => dropout(t, 0.5, ADDRESS), [x()]);
    await gradcheck((t) => checkpoint((v) => mul(dropout(v, 0.5, ADDRESS), v), t), [x()]);
  });

  test('explains wrong arguments', () => {
    scope(() => {
      const x = tensor(gpu, random(4));
      expect(() => dropout(x, 1, ADDRESS)).toThrow('dropout: probability 1 is not in [0, 1)');
      expect(() => dropout(x, 0.5, { ...ADDRESS, step: -1 })).toThrow('"step" = -1');
    });
  });
});
