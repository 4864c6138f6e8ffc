import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { cast } from '../src/kernels/elementwise.js';
import { gradientNorm } from '../src/kernels/gradient-norm.js';
import { type AdamWTensors, adamw, sgd } from '../src/kernels/optimizer.js';
import { encode, fromHost, scope, type Tensor, tensor, zeros } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** A parameter on the device together with what float64 arithmetic makes of it. */
class Case {
  readonly p: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
  readonly g: Float32Array;
  readonly tensors: AdamWTensors;

  constructor(on: Gpu, size: number, seed: number, dtype: 'f32' | 'f16' | 'bf16' = 'f32') {
    const start = random(size, seed);
    this.p = Float64Array.from(start);
    this.m = new Float64Array(size);
    this.v = new Float64Array(size);
    this.g = random(size, seed + 100);
    const master = tensor(on, start);
    this.tensors = {
      param: dtype === 'f32' ? master : cast(master, dtype),
      ...(dtype === 'f32' ? {} : { master }),
      grad: tensor(on, this.g),
      m: zeros(on, [size]),
      v: zeros(on, [size]),
    };
  }

  step(step: number, lr: number, decay: number, scale = 1, [b1, b2, eps] = [0.9, 0.999, 1e-8]): void {
    this.g.forEach((raw, i) => {
      const g = raw * scale;
      this.m[i] = b1 * this.m[i] + (1 - b1) * g;
      this.v[i] = b2 * this.v[i] + (1 - b2) * g * g;
      const update = this.m[i] / (1 - b1 ** step) / (Math.sqrt(this.v[i] / (1 - b2 ** step)) + eps);
      this.p[i] = this.p[i] * (1 - lr * decay) - lr * update;
    });
  }

  async check(tolerance = 2e-6): Promise<void> {
    const { param, master, m, v } = this.tensors;
    await expectClose(master ?? param, this.p, tolerance);
    await expectClose(m, this.m, tolerance);
    await expectClose(v, this.v, tolerance);
    if (master) expect(await param.raw()).toEqual(encode(await master.data(), param.dtype));
  }

  dispose(): void {
    for (const t of Object.values(this.tensors)) (t as Tensor).dispose();
  }
}

describe('AdamW', () => {
  test.each(['f32', 'f16', 'bf16'] as const)('%s parameters of any size, many at a time', async (dtype) => {
    const sizes = [1, 2, 3, 64, 130, 255, 1001, 4096, 70_001, 70_004, 12, 4, 7];
    const cases = sizes.map((size, i) => new Case(gpu, size, i, dtype));
    for (const step of [1, 2, 3]) {
      adamw(
        cases.map((c) => c.tensors),
        { lr: 0.02, weightDecay: 0.1, gradScale: 0.5, step },
      );
      for (const c of cases) c.step(step, 0.02, 0.1, 0.5);
    }
    for (const c of cases) await c.check();
    for (const c of cases) c.dispose();
  });

  test('tensors over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    const c = new Case(small, 5003, 3, 'bf16');
    adamw([c.tensors], { lr: 0.01, step: 1 });
    c.step(1, 0.01, 0);
    await c.check();
    c.dispose();
  });

  test('agrees with PyTorch, clipping included', async () => {
    const f = fixture('optimizer');
    const list = [0, 1, 2].map((i) => {
      const param = tensor(gpu, f[`p${i}`].data, f[`p${i}`].shape);
      return { param, m: zeros(gpu, param.shape), v: zeros(gpu, param.shape) };
    });
    for (const step of [1, 2, 3]) {
      const grads = list.map((t, i) => tensor(gpu, f[`g${i}.${step}`].data, t.param.shape));
      const control = gradientNorm(grads, { maxNorm: 1.5 });
      adamw(
        list.map((t, i) => ({ ...t, grad: grads[i] })),
        { lr: 2e-2, beta2: 0.95, eps: 1e-6, weightDecay: 0.1, step, control },
      );
      expect((await control.data())[0]).toBeCloseTo(f[`norm.${step}`].data[0], 5);
      for (let i = 0; i < 3; i++) await expectClose(list[i].param, f[`p${i}.${step}`].data, 1e-6);
    }
    for (let i = 0; i < 3; i++) {
      await expectClose(list[i].m, f[`m${i}`].data, 1e-6);
      await expectClose(list[i].v, f[`v${i}`].data, 1e-6);
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'a gradient with %s changes nothing',
    async (poison) => {
      const cases = [new Case(gpu, 100, 1), new Case(gpu, 131, 2, 'bf16')];
      const before = await Promise.all(cases.map((c) => c.tensors.param.raw()));
      const g = random(131, 9);
      g[130] = poison;
      cases[1].tensors.grad.write(g);
      const control = gradientNorm(cases.map((c) => c.tensors.grad));
      adamw(
        cases.map((c) => c.tensors),
        { lr: 1, step: 1, control },
      );
      expect(Array.from(await control.data()).slice(1)).toEqual([0, 1]);
      for (const [i, c] of cases.entries()) {
        expect(await c.tensors.param.raw()).toEqual(before[i]);
        await c.check();
        c.dispose();
      }
    },
  );

  test('says what is wrong with its arguments', () => {
    scope(() => {
      const param = tensor(gpu, random(4));
      const ok = { param, grad: zeros(gpu, [4]), m: zeros(gpu, [4]), v: zeros(gpu, [4]) };
      const options = { lr: 1, step: 1 };
      expect(() => adamw([], options)).toThrow('adamw: the list of parameters is empty');
      expect(() => adamw([ok], { lr: 1, step: 0 })).toThrow('adamw: step is 0');
      expect(() => adamw([ok], { lr: Number.NaN, step: 1 })).toThrow('adamw: lr is NaN');
      expect(() => adamw([{ ...ok, m: zeros(gpu, [5]) }], options)).toThrow('adamw: shapes differ');
      expect(() => adamw([{ ...ok, master: param }], options)).toThrow('needs no master copy');
      const half = tensor(gpu, random(4), [4], { dtype: 'bf16' });
      expect(() => adamw([{ ...ok, param: half }], options)).toThrow('needs an f32 master copy');
    });
  });
});

test('SGD with decay, f32 and bf16', async () => {
  for (const dtype of ['f32', 'bf16'] as const) {
    const c = new Case(gpu, 333, 5, dtype);
    const { param, grad, master } = c.tensors;
    sgd([{ param, grad, master }], { lr: 0.1, weightDecay: 0.5 });
    c.p.forEach((p, i) => {
      c.p[i] = p * (1 - 0.05) - 0.1 * c.g[i];
    });
    await c.check();
    c.dispose();
  }
});

describe('global norm', () => {
  const norm64 = (list: readonly Float32Array[]) =>
    Math.sqrt(list.reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0));

  test('over many tensors of any size, bit-identical on reruns', async () => {
    const sizes = [1, 5, 7, 8, 100, 3000, 65_536, 200_003, 9, 10, 11, 12, 13, 14, 15, 16, 17];
    const host = sizes.map((size, i) => random(size, i));
    const list = host.map((g) => tensor(gpu, g));
    const [a, b] = [gradientNorm(list, { gradScale: 0.25 }), gradientNorm(list, { gradScale: 0.25 })];
    const [norm, scale, skip] = await a.data();
    expect(Math.abs(norm / (0.25 * norm64(host)) - 1)).toBeLessThan(1e-6);
    expect([scale, skip]).toEqual([0.25, 0]);
    expect(await b.data()).toEqual(await a.data());
    for (const t of list) t.dispose();
  });

  test('clips like clip_grad_norm_, on top of gradScale', async () => {
    const g = random(1000, 3);
    const list = [tensor(gpu, g)];
    const norm = 2 * norm64([g]);
    const clipped = await gradientNorm(list, { gradScale: 2, maxNorm: 1 }).data();
    expect(clipped[1]).toBeCloseTo(2 / (norm + 1e-6), 6);
    const loose = await gradientNorm(list, { gradScale: 2, maxNorm: 1000 }).data();
    expect(loose[1]).toBe(2);
  });

  test('in the variant for hardware adapters', async () => {
    const hardware = await testGpu(undefined, { software: false });
    const g = random(300_001, 4);
    const [norm] = await gradientNorm([tensor(hardware, g)]).data();
    expect(Math.abs(norm / norm64([g]) - 1)).toBeLessThan(1e-6);
  });

  test('gradients over the binding limit', async () => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    const g = random(10_001, 4);
    const [norm] = await gradientNorm([tensor(small, g)]).data();
    expect(Math.abs(norm / norm64([g]) - 1)).toBeLessThan(1e-6);
  });

  test('a norm that overflows f32 counts as not finite', async () => {
    const [norm, , skip] = await gradientNorm([tensor(gpu, [1e30, 1e30])]).data();
    expect([norm, skip]).toEqual([Number.POSITIVE_INFINITY, 1]);
  });

  test('says what is wrong with its arguments', () => {
    const ids = fromHost(gpu, Int32Array.of(1), [1], 'i32');
    expect(() => gradientNorm([])).toThrow('gradientNorm: the list of gradients is empty');
    expect(() => gradientNorm([ids])).toThrow('gradientNorm: gradient is i32[1], expected f32');
    expect(() => gradientNorm([zeros(gpu, [1])], { maxNorm: 0 })).toThrow('gradientNorm: maxNorm is 0');
  });
});
