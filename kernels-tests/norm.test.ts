import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  addLayerNorm,
  addRmsNorm,
  backward,
  gradcheck,
  layerNorm,
  mul,
  rmsNorm,
  sum,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { full } from '../src/kernels/elementwise.js';
import {
  type NormKind,
  normForward,
  normInputGradient,
  normParameterGradients,
} from '../src/kernels/norm.js';
import { type DType, decode, encode, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu, testTiers } from './support/gpu.js';

const KINDS: NormKind[] = ['rmsNorm', 'layerNorm'];
const EPS = 1e-6;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Float64 norm of the rows and its gradients. */
function reference(
  kind: NormKind,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  b: ArrayLike<number> | null,
  g: ArrayLike<number>,
) {
  const n = w.length;
  const out = { y: [] as number[], dx: [] as number[], dw: new Float64Array(n), db: new Float64Array(n) };
  for (let first = 0; first < x.length; first += n) {
    const row = Array.from({ length: n }, (_, i) => x[first + i]);
    const mean = kind === 'layerNorm' ? row.reduce((a, v) => a + v, 0) / n : 0;
    const rstd = 1 / Math.sqrt(row.reduce((a, v) => a + (v - mean) ** 2, 0) / n + EPS);
    const normal = row.map((v) => (v - mean) * rstd);
    const p = normal.map((_, i) => g[first + i] * w[i]);
    const meanP = kind === 'layerNorm' ? p.reduce((a, v) => a + v, 0) / n : 0;
    const meanPn = p.reduce((a, v, i) => a + v * normal[i], 0) / n;
    for (let i = 0; i < n; i++) {
      out.y.push(normal[i] * w[i] + (b ? b[i] : 0));
      out.dx.push(rstd * (p[i] - meanP - normal[i] * meanPn));
      out.dw[i] += g[first + i] * normal[i];
      out.db[i] += g[first + i];
    }
  }
  return out;
}

async function check(
  on: Gpu,
  kind: NormKind,
  rows: number,
  n: number,
  dtype: DType = 'f32',
  withBias = kind === 'layerNorm',
): Promise<void> {
  const x = random(rows * n, 1).map((v) => 3 * v + 1);
  const g = random(rows * n, 2);
  const w = encode(
    random(n, 3).map((v) => 1 + v / 2),
    dtype,
  );
  const b = encode(random(n, 4), dtype);
  scope(() => {
    full(on, [rows, n], Number.NaN);
    full(on, [rows], Number.NaN);
    full(on, [n], Number.NaN);
  });
  const results = scope((): Tensor[] => {
    const tx = tensor(on, x, [rows, n]);
    const gradient = tensor(on, g, [rows, n]);
    const weight = tensor(on, decode(w, dtype), [n], { dtype });
    const bias = withBias ? tensor(on, decode(b, dtype), [n], { dtype }) : null;
    const { y, rstd, mean } = normForward({ kind, x: tx, weight, bias, eps: EPS });
    const inputs = { kind, x: tx, gradient, rstd, mean };
    const found = normParameterGradients(inputs, { bias: withBias });
    return [y, normInputGradient(inputs, weight), found.weight, ...(found.bias ? [found.bias] : [])];
  });
  const expected = reference(kind, x, decode(w, dtype), withBias ? decode(b, dtype) : null, g);
  await expectClose(results[0], expected.y, 2e-6);
  // A single element determines its own norm: what is left of its gradient after the subtractions is only rounding.
  if (n > 1) {
    await expectClose(results[1], expected.dx, 5e-6);
    await expectClose(results[2], expected.dw, 1e-5);
  }
  if (withBias) await expectClose(results[3], expected.db, 1e-5);
  for (const t of results) t.dispose();
}

describe.each(KINDS)('%s', (kind) => {
  test('random shapes, odd and even', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 4, max: 300 }), (rows, n) =>
        check(gpu, kind, rows, n),
      ),
      { numRuns: 5, seed: 5 },
    );
    await check(gpu, kind, 3, 1);
  });

  test.each(['f16', 'bf16'] as const)('weights stored as %s, odd and even', async (dtype) => {
    await check(gpu, kind, 5, 32, dtype);
    await check(gpu, kind, 5, 33, dtype);
  });

  test('with the bias that is not its default', () => check(gpu, kind, 5, 32, 'f32', kind === 'rmsNorm'));

  test('rows too long for registers, many rows', async () => {
    await check(gpu, kind, 2, 8200);
    await check(gpu, kind, 2, 4101);
    await check(gpu, kind, 3001, 20);
  });

  test('all tiers', async () => {
    for (const tier of await testTiers()) await check(await testGpu(tier), kind, 9, 132);
  });

  test('as on a GPU: several subgroups per row', async () => {
    for (const tier of ['base', (await testTiers()).at(-1)] as const) {
      const on = await testGpu(tier, { software: false });
      await check(on, kind, 40, 520);
      await check(on, kind, 2, 1030);
    }
  });

  test('tensors over the binding limit', async () => {
    await check(await testGpu(undefined, { maxBindingBytes: 16384 }), kind, 200, 60);
  });

  test('agrees with PyTorch, fused residual addition included', async () => {
    const f = fixture('norm');
    const leaf = (name: string) =>
      tensor(gpu, f[`${kind}.${name}`].data, f[`${kind}.${name}`].shape).requireGrad();
    const [x, residual, weight, bias] = ['x', 'residual', 'weight']
      .map(leaf)
      .concat(tensor(gpu, f[`layerNorm.bias`].data).requireGrad());
    const { y, h } =
      kind === 'rmsNorm'
        ? addRmsNorm(x, residual, weight, EPS)
        : addLayerNorm(x, residual, weight, bias, EPS);
    await expectClose(y, f[`${kind}.y`].data, 2e-6);
    await expectClose(h, f[`${kind}.h`].data, 1e-6);
    const gradients = ['y', 'h'].map((name) => tensor(gpu, f[`${kind}.grad.${name}`].data, y.shape));
    scope(() => {
      const objective = [y, h].map((t, i) => sum(mul(t, gradients[i])));
      backward(objective[0], { retainGraph: true });
      backward(objective[1]);
    });
    await expectClose(x.grad as Tensor, f[`${kind}.grad.x`].data, 5e-6);
    await expectClose(residual.grad as Tensor, f[`${kind}.grad.residual`].data, 5e-6);
    await expectClose(weight.grad as Tensor, f[`${kind}.grad.weight`].data, 5e-6);
    if (kind === 'layerNorm') await expectClose(bias.grad as Tensor, f[`${kind}.grad.bias`].data, 5e-6);
  });
});

test('gradients through autograd, both outputs at once', async () => {
  const make = (shape: number[], seed: number) =>
    tensor(
      gpu,
      random(
        shape.reduce((a, d) => a * d, 1),
        seed,
      ),
      shape,
    ).requireGrad();
  await gradcheck((x, w) => rmsNorm(x, w, EPS), [make([3, 8], 1), make([8], 2)]);
  await gradcheck((x, w) => rmsNorm(x, w, EPS, { aroundOne: true }), [make([3, 8], 1), make([8], 2)]);
  await gradcheck((x, w, b) => layerNorm(x, w, b, EPS), [make([3, 8], 1), make([8], 2), make([8], 3)]);
  await gradcheck((x, w) => layerNorm(x, w, null, EPS), [make([3, 7], 1), make([7], 2)]);
  const inputs = [make([3, 8], 1), make([3, 8], 4), make([8], 2), make([8], 3)];
  await gradcheck((x, r, w, b) => {
    const { y, h } = addLayerNorm(x, r, w, b, EPS);
    return mul(y, h);
  }, inputs);
});

test('frozen weights cost nothing; trainable ones accumulate in place', async () => {
  const x = random(40, 1);
  const results: Tensor[] = [];
  for (const trainable of [true, false]) {
    const input = tensor(gpu, x, [5, 8]).requireGrad();
    const weight = tensor(gpu, random(8, 2)).requireGrad(trainable);
    for (let pass = 0; pass < 2; pass++) scope(() => backward(sum(mul(rmsNorm(input, weight, EPS), input))));
    results.push(input.grad as Tensor);
    if (!trainable) {
      expect(weight.grad).toBeNull();
      continue;
    }
    const { dw } = reference('rmsNorm', x, random(8, 2), null, x);
    await expectClose(
      weight.grad as Tensor,
      dw.map((v) => 2 * v),
      1e-5,
    );
  }
  expect(await results[0].raw()).toEqual(await results[1].raw());
});

test('reruns agree bit for bit', async () => {
  const run = () =>
    scope(() => {
      const [x, gradient] = [
        tensor(gpu, random(90_000, 1), [900, 100]),
        tensor(gpu, random(90_000, 2), [900, 100]),
      ];
      const { rstd, mean } = normForward({ kind: 'layerNorm', x, weight: full(gpu, [100], 1), eps: EPS });
      return normParameterGradients({ kind: 'layerNorm', x, gradient, rstd, mean }).weight;
    });
  expect(await run().raw()).toEqual(await run().raw());
});

test('explains wrong arguments', () => {
  scope(() => {
    const x = tensor(gpu, random(6), [2, 3]);
    const w = tensor(gpu, random(3));
    expect(() => rmsNorm(x, tensor(gpu, random(2)), EPS)).toThrow(
      'rmsNorm: weight is f32[2], expected shape [3]',
    );
    expect(() => rmsNorm(x, w, Number.NaN)).toThrow('eps is NaN');
    expect(() => layerNorm(x, w, tensor(gpu, random(3), [3], { dtype: 'bf16' }), EPS)).toThrow(
      'weight is f32 and bias is bf16',
    );
    expect(() => addRmsNorm(x, tensor(gpu, random(6), [3, 2]), w, EPS)).toThrow('shapes differ');
  });
});
