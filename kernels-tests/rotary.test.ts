import { beforeAll, describe, expect, test } from 'vitest';
import { backward, gradcheck, rotary } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import {
  rotaryAngles,
  rotaryFrequencies,
  rotaryTable,
  rotate,
  sectionedRotaryAngles,
  visionRotaryAngles,
} from '../src/kernels/rotary.js';
import { scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random, relativeError } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Float64 rotation of [T, H, D] by angles [T, D/2]. */
function reference(
  x: ArrayLike<number>,
  angles: ArrayLike<number>,
  heads: number,
  dim: number,
  sign: number,
): number[] {
  const half = dim / 2;
  return Array.from({ length: x.length }, (_, i) => {
    const j = i % dim;
    const angle = angles[Math.floor(i / dim / heads) * half + (j % half)];
    const other = j < half ? -x[i + half] : x[i - half];
    return x[i] * Math.cos(angle) + sign * other * Math.sin(angle);
  });
}

test.each([
  [1, 1, 2],
  [5, 3, 20],
  [9, 2, 80],
  [7, 12, 128],
])('T=%i, H=%i, D=%i, both directions', async (tokens, heads, dim) => {
  const x = random(tokens * heads * dim, 1);
  const angles = rotaryAngles(
    Array.from({ length: tokens }, (_, i) => 1000 * i),
    dim,
    1e6,
  );
  scope(() => full(gpu, [x.length], Number.NaN));
  const [y, back] = scope(() => {
    const t = tensor(gpu, x, [tokens, heads, dim]);
    const table = rotaryTable(gpu, angles, dim);
    return [rotate(t, table), rotate(t, table, -1)];
  });
  await expectClose(y, reference(x, angles, heads, dim, 1), 1e-6);
  await expectClose(back, reference(x, angles, heads, dim, -1), 1e-6);
});

test('as on a GPU', async () => {
  const on = await testGpu(undefined, { software: false });
  const x = random(50 * 3 * 80, 1);
  const angles = rotaryAngles(
    Array.from({ length: 50 }, (_, i) => i),
    80,
    1e4,
  );
  const y = scope(() => rotate(tensor(on, x, [50, 3, 80]), rotaryTable(on, angles, 80)));
  await expectClose(y, reference(x, angles, 3, 80, 1), 1e-6);
});

test('tensors over the binding limit', async () => {
  const small = await testGpu(undefined, { maxBindingBytes: 4096 });
  const x = random(300 * 6, 1);
  const angles = rotaryAngles(
    Array.from({ length: 300 }, (_, i) => i),
    6,
    1e4,
  );
  const y = scope(() => rotate(tensor(small, x, [300, 1, 6]), rotaryTable(small, angles, 6)));
  await expectClose(y, reference(x, angles, 1, 6, 1), 1e-6);
});

test('gradient through autograd, after the table was disposed', async () => {
  const table = rotaryTable(gpu, rotaryAngles([0, 3, 50], 8, 1e4), 8);
  await gradcheck((x) => rotary(x, table), [tensor(gpu, random(48, 2), [3, 2, 8]).requireGrad()]);
  const x = tensor(gpu, random(48, 2), [3, 2, 8]).requireGrad();
  const y = rotary(x, table);
  table.cos.dispose();
  table.sin.dispose();
  backward(y, { gradient: full(gpu, y.shape, 1) });
  const angles = rotaryAngles([0, 3, 50], 8, 1e4);
  await expectClose(x.grad as Tensor, reference(new Array(48).fill(1), angles, 2, 8, -1), 1e-6);
});

describe('agrees with PyTorch', () => {
  const f = fixture('rotary');
  const builders = {
    plain: () => rotaryAngles(f['plain.positions'].data, 64, 1e6),
    mrope: () => sectionedRotaryAngles(f['mrope.positions'].data, [16, 24, 24], 1e6),
    vision: () => visionRotaryAngles(f['vision.rows'].data, f['vision.columns'].data, 80),
  };
  test.each(['plain', 'mrope', 'vision'] as const)('%s', async (kind) => {
    const angles = builders[kind]();
    expect(relativeError(angles, f[`${kind}.angles`].data)).toBeLessThan(1e-7);
    const { shape } = f[`${kind}.x`];
    const [y, dx] = scope(() => {
      const table = rotaryTable(gpu, angles, shape[2]);
      const at = (name: string) => tensor(gpu, f[`${kind}.${name}`].data, shape);
      return [rotate(at('x'), table), rotate(at('grad.y'), table, -1)];
    });
    await expectClose(y, f[`${kind}.y`].data, 2e-7);
    await expectClose(dx, f[`${kind}.grad.x`].data, 2e-7);
  });

  test('frequencies, bit for bit', () => {
    const inverse = rotaryFrequencies(128, 1e6);
    expect([inverse[0], inverse[1], inverse[2], inverse[63]]).toEqual([
      1, 0.8058422207832336, 0.6493816375732422, 1.2409377632138785e-6,
    ]);
  });
});

test('equal positions on all axes are ordinary rotary embeddings', () => {
  const positions = [0, 1, 7, 40];
  const sectioned = sectionedRotaryAngles([...positions, ...positions, ...positions], [2, 3, 3], 1e6);
  expect(sectioned).toEqual(rotaryAngles(positions, 16, 1e6));
});

test('explains wrong arguments', () => {
  scope(() => {
    const table = rotaryTable(gpu, rotaryAngles([0, 1], 4, 1e4), 4);
    expect(() => rotate(tensor(gpu, random(8), [2, 4]), table)).toThrow('expected [tokens, heads, dim]');
    expect(() => rotate(tensor(gpu, random(12), [3, 1, 4]), table)).toThrow(
      'a table f32[2, 2] does not fit x f32[3, 1, 4]',
    );
    expect(() => rotaryFrequencies(5, 1e4)).toThrow('head dimension 5 is not even');
    expect(() => sectionedRotaryAngles([1, 2, 3, 4], [1, 1, 1], 1e4)).toThrow(
      'are not 3 rows of equal length',
    );
  });
});
