import { beforeAll, describe, expect, test } from 'vitest';
import { differentiable } from '../src/autograd/graph.js';
import {
  add,
  affine,
  backward,
  checkpoint,
  div,
  gradcheck,
  gradients,
  mul,
  noGrad,
  reshape,
  sub,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { axpy, full } from '../src/kernels/elementwise.js';
import { scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { testGpu } from './support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const leaf = (values: ArrayLike<number>, shape?: number[]) => tensor(gpu, values, shape).requireGrad();
const ones = (shape: readonly number[]) => full(gpu, shape, 1);

test('gradients of a small expression, accumulated over two passes', async () => {
  const a = leaf([1, 2, 3]);
  const b = leaf([4, 5, 6]);
  for (let pass = 0; pass < 2; pass++) {
    scope(() => {
      const y = div(mul(add(a, b), a), b);
      backward(y, { gradient: ones([3]) });
    });
  }
  const at = (x: number, y: number) => 2 * ((2 * x + y) / y);
  await expectClose(a.grad!, [at(1, 4), at(2, 5), at(3, 6)], 1e-6);
  await expectClose(
    b.grad!,
    [1, 2, 3].map((x, i) => (-2 * x * x) / (4 + i) ** 2),
    1e-6,
  );
  a.dispose();
  b.dispose();
});

test('a tensor used many times receives the sum', async () => {
  const a = leaf([2]);
  scope(() => {
    let y: Tensor = a;
    for (let i = 0; i < 5; i++) y = mul(y, a);
    backward(y);
  });
  await expectClose(a.grad!, [6 * 2 ** 5], 1e-6);
  a.dispose();
});

test('frozen inputs get no gradient and cost nothing', () => {
  const a = leaf([1, 2]);
  const frozen = tensor(gpu, [3, 4]);
  const needs: boolean[][] = [];
  scope(() => {
    const y = full(gpu, [2], 0);
    differentiable({
      name: 'probe',
      inputs: [a, frozen],
      outputs: [y],
      saved: [],
      backward: ([g], _, context) => {
        needs.push([...context.needs]);
        return [affine(g!, 1), null];
      },
    });
    backward(y, { gradient: ones([2]) });
  });
  expect(needs).toEqual([[true, false]]);
  expect(frozen.grad).toBeNull();
  a.dispose();
  frozen.dispose();
});

describe('memory', () => {
  test('a graph dropped without backward frees what it saved; so does backward', () => {
    const a = leaf(random(5000));
    const before = gpu.memory().liveTotal;
    scope(() => {
      mul(mul(a, a), a);
    });
    expect(gpu.memory().liveTotal).toBe(before);
    scope(() => backward(mul(mul(a, a), a), { gradient: ones([5000]) }));
    const withGrad = gpu.memory();
    expect(withGrad.live.gradients).toBeGreaterThan(0);
    for (let i = 0; i < 3; i++) scope(() => backward(mul(mul(a, a), a), { gradient: ones([5000]) }));
    expect(gpu.memory().liveTotal).toBe(withGrad.liveTotal);
    a.dispose();
  });

  test('intermediates survive their scope while the graph needs them', async () => {
    const a = leaf([1, 2, 3]);
    const y = scope(() => mul(affine(a, 2), affine(a, 3)));
    backward(y, { gradient: ones([3]).keep() });
    await expectClose(a.grad!, [12, 24, 36], 1e-6);
    y.dispose();
    a.dispose();
  });

  test('no-grad mode saves nothing', () => {
    const a = leaf([1, 2, 3]);
    scope(() => {
      const y = noGrad(() => mul(a, a));
      expect(y.tracked).toBe(false);
      expect(() => backward(y, { gradient: ones([3]) })).toThrow(
        'does not depend on any tensor that requires gradients',
      );
    });
    a.dispose();
  });
});

describe('checkpoint', () => {
  const block = (w: Tensor) => (x: Tensor) => {
    let h = x;
    for (let i = 0; i < 6; i++) h = add(mul(h, w), x);
    return h;
  };

  test('equals the plain gradient, for inputs and for leaves inside, with less memory', async () => {
    const size = 20_000;
    const x = leaf(random(size, 1));
    const w = leaf(random(size, 2));
    const peak = (run: () => Tensor) => {
      const before = gpu.memory().liveTotal;
      gpu.resetPeakMemory();
      scope(() => backward(affine(run(), 0.5), { gradient: ones([size]) }));
      return gpu.memory().peakTotal - before;
    };
    const three = (f: (h: Tensor) => Tensor) => () => f(f(f(x)));
    const plainPeak = peak(three(block(w)));
    const expected = [await x.grad!.data(), await w.grad!.data()];
    for (const t of [x, w]) {
      t.grad!.dispose();
      t.grad = null;
    }
    const savedPeak = peak(three((h) => checkpoint(block(w), h)));
    await expectClose(x.grad!, expected[0], 1e-6);
    await expectClose(w.grad!, expected[1], 1e-6);
    expect(savedPeak).toBeLessThan(0.7 * plainPeak);
    x.dispose();
    w.dispose();
  });

  test('frozen blocks, unused inputs and blocks that return an input or a leaf', async () => {
    const frozen = tensor(gpu, random(4, 3));
    const a = leaf([1, 2, 3, 4]);
    const b = leaf([5, 6, 7, 8]);
    scope(() => {
      expect(checkpoint((x) => mul(x, x), frozen).tracked).toBe(false);
      backward(
        checkpoint((x) => x, a),
        { gradient: ones([4]) },
      );
      backward(
        checkpoint(() => b, a),
        { gradient: ones([4]) },
      );
      backward(
        checkpoint((x, _unused) => mul(x, x), a, b),
        { gradient: ones([4]) },
      );
    });
    await expectClose(a.grad!, [3, 5, 7, 9], 1e-6);
    await expectClose(b.grad!, [1, 1, 1, 1], 1e-6);
    for (const t of [frozen, a, b]) t.dispose();
  });
});

test('a backward that throws leaves no memory behind and allows further work', async () => {
  const a = leaf([1, 2, 3]);
  const before = gpu.memory().liveTotal;
  scope(() => {
    const y = noGrad(() => affine(a, 1));
    differentiable({
      name: 'broken',
      inputs: [a],
      outputs: [y],
      saved: [a],
      backward: () => {
        throw new Error('no gradient');
      },
    });
    expect(() => backward(mul(y, y), { gradient: ones([3]) })).toThrow('no gradient');
  });
  expect(gpu.memory().liveTotal).toBe(before);
  scope(() => backward(mul(a, a), { gradient: ones([3]) }));
  await expectClose(a.grad!, [2, 4, 6], 1e-6);
  a.dispose();
});

describe('misuse', () => {
  test('a second backward is refused, unless the graph is retained', () => {
    const a = leaf([1]);
    scope(() => {
      const y = mul(a, a);
      backward(y, { retainGraph: true });
      backward(y);
      expect(() => backward(y)).toThrow('the graph of mul was already freed');
    });
    a.dispose();
  });

  test('changing a saved tensor in place is found', () => {
    const a = leaf([1, 2]);
    scope(() => {
      const h = affine(a, 2);
      const y = mul(h, h);
      h.write(new Float32Array(2));
      expect(() => backward(y, { gradient: ones([2]) })).toThrow(
        'mul saved a tensor f32[2] for its backward, and it was changed',
      );
    });
    a.dispose();
  });

  test('kernels that write in place are found too, also in replays', () => {
    const a = leaf([1, 2]);
    const h = tensor(gpu, [3, 4]);
    const h2 = tensor(gpu, [3, 4]);
    const { recording } = gpu.record(() => axpy(h, h2, 1));
    for (const change of [() => axpy(h, h2, 2), () => recording.replay()]) {
      scope(() => {
        const y = mul(a, h);
        change();
        expect(() => backward(y, { gradient: ones([2]) })).toThrow('it was changed');
      });
    }
    recording.dispose();
    for (const t of [a, h, h2]) t.dispose();
  });

  test('backward needs one element or a gradient of the right shape', () => {
    const a = leaf([1, 2]);
    scope(() => {
      expect(() => backward(mul(a, a))).toThrow('reduce it to one element or pass a gradient');
      expect(() => backward(mul(a, a), { gradient: ones([3]) })).toThrow(
        'gradient of shape [3] for an output of shape [2]',
      );
    });
    a.dispose();
  });
});

test('gradients() leaves .grad alone', async () => {
  const a = leaf([3]);
  const [g] = scope(() => gradients(mul(a, a), [a]));
  await expectClose(g, [6], 1e-6);
  expect(a.grad).toBeNull();
  g.dispose();
  a.dispose();
});

test('gradcheck accepts right gradients and refuses wrong ones', async () => {
  const a = leaf(random(12, 1), [3, 4]);
  const b = leaf(random(4, 2).map((v) => v + 2 * Math.sign(v)));
  await gradcheck((x, y) => reshape(div(sub(x, y), y), [12]), [a, b]);
  const wrong = (x: Tensor) => {
    const y = noGrad(() => mul(x, x));
    differentiable({
      name: 'wrong',
      inputs: [x],
      outputs: [y],
      saved: [x],
      backward: ([g], [s]) => [mul(g!, s)],
    });
    return y;
  };
  await expect(gradcheck(wrong, [a])).rejects.toThrow(/gradient of input 0 .* is off by/);
  a.dispose();
  b.dispose();
});
