/** Layers with what only some families have, beside the same computed from plain operations. */
import { beforeAll, expect, it } from 'vitest';
import {
  add,
  affine,
  attention,
  backward,
  reshape,
  rmsNorm,
  rotary as rotate,
  square,
  sum,
} from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { Segments } from '../src/kernels/attention.js';
import { rotaryAngles, rotaryTable } from '../src/kernels/rotary.js';
import { LayerBuilder } from '../src/models/core/builder.js';
import { Decoder } from '../src/models/core/decoder.js';
import { GroupedAttention, type LayerContext } from '../src/nn/attention.js';
import { GatedMlp } from '../src/nn/mlp.js';
import { Norm } from '../src/nn/norm.js';
import { runLayers, TransformerLayer } from '../src/nn/transformer.js';
import { scope, type Tensor, tensor } from '../src/tensor/index.js';
import { random, relativeError } from './support/compare.js';
import { testGpu } from './support/gpu.js';

const TOKENS = 6;
const WIDTH = 16;
const HEAD = 8;
let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Weights of random numbers, by name. */
function weights() {
  const made = new Map<string, Tensor>();
  const build = new LayerBuilder(({ name, shape, role }) => {
    const size = shape.reduce((n, d) => n * d, 1);
    const found = made.get(name) ?? tensor(gpu, random(size, role === 'norm' ? 7 : size), shape);
    made.set(name, found.requireGrad());
    return found;
  });
  return { build, made };
}

/** Values, and the gradients of the sum of their squares. */
async function measured(made: ReadonlyMap<string, Tensor>, run: () => Tensor): Promise<Float32Array[]> {
  for (const weight of made.values()) {
    weight.grad?.dispose();
    weight.grad = null;
  }
  const y = scope(run);
  const loss = sum(square(y));
  backward(loss);
  const found = [y, ...[...made.values()].map(({ grad }) => grad as Tensor)];
  const values = await Promise.all(found.map((t) => t.data()));
  loss.dispose();
  y.dispose();
  return values;
}

async function expectAlike(made: ReadonlyMap<string, Tensor>, a: () => Tensor, b: () => Tensor) {
  const [left, right] = [await measured(made, a), await measured(made, b)];
  left.forEach((values, i) => void expect(relativeError(values, right[i]), `output ${i}`).toBeLessThan(1e-5));
}

it('norms whose weights are stored as their distance from one', async () => {
  const { build, made } = weights();
  const norm = build.rmsNorm('n', WIDTH, { eps: 1e-6, aroundOne: true });
  const x = tensor(gpu, random(TOKENS * WIDTH), [TOKENS, WIDTH]);
  await expectAlike(
    made,
    () => add(norm.forward(x), norm.addForward(x, x).y),
    () =>
      add(rmsNorm(x, affine(norm.weight, 1, 1), 1e-6), rmsNorm(add(x, x), affine(norm.weight, 1, 1), 1e-6)),
  );
});

it('norms on heads, and kinds of layers with angles of their own', async () => {
  const { build, made } = weights();
  const x = tensor(gpu, random(TOKENS * WIDTH), [TOKENS, WIDTH]);
  const projections = {
    q: build.linear('q', WIDTH, 4 * HEAD, false),
    k: build.linear('k', WIDTH, 2 * HEAD, false),
    v: build.linear('v', WIDTH, 2 * HEAD, false),
    o: build.linear('o', 4 * HEAD, WIDTH, false),
  };
  const norms = { q: build.rmsNorm('qn', HEAD, { eps: 1e-6 }), k: build.rmsNorm('kn', HEAD, { eps: 1e-6 }) };
  const positions = Int32Array.from({ length: TOKENS }, (_, i) => i);
  const table = (theta: number) => rotaryTable(gpu, rotaryAngles(positions, HEAD, theta), HEAD);
  const rotary = [table(1e4), table(10)];
  const segments = Segments.fromLengths(gpu, [TOKENS]);
  const seen: number[] = [];
  const attend: LayerContext['attend'] = ({ layer, kind }, q, k, v) => {
    seen.push(layer, kind);
    return attention(q, k, v, segments);
  };
  const { q, k, v, o } = projections;
  const block = new GroupedAttention({ layer: 3, kind: 1 }, projections, HEAD, norms);
  const heads = (y: Tensor) => reshape(y, [TOKENS, -1, HEAD]);
  const turned = (y: Tensor, { weight }: Norm) => rotate(rmsNorm(heads(y), weight, 1e-6), rotary[1]);
  await expectAlike(
    made,
    () => block.forward(x, { rotary, attend }),
    () => {
      const mixed = attention(
        turned(q.forward(x), norms.q),
        turned(k.forward(x), norms.k),
        heads(v.forward(x)),
        segments,
      );
      return o.forward(reshape(mixed, [TOKENS, 4 * HEAD]));
    },
  );
  expect(seen).toEqual([3, 1]);
  segments.dispose();
});

/** A layer whose attention passes its input on. */
function layerWith(after: boolean, build: LayerBuilder): TransformerLayer {
  const norm = (path: string) => build.rmsNorm(path, WIDTH, { eps: 1e-6 });
  const linear = (path: string) => build.linear(path, WIDTH, WIDTH, false);
  return new TransformerLayer({
    norm1: norm('n1'),
    attention: { forward: (x) => x },
    norm2: norm('n2'),
    mlp: new GatedMlp(linear('g'), linear('u'), linear('d'), 'geglu'),
    ...(after ? { after1: norm('a1'), after2: norm('a2') } : {}),
  });
}

const NO_CONTEXT: LayerContext = { rotary: [], attend: (_, q) => q };

it('norms on what blocks give, and another gate', async () => {
  const { build, made } = weights();
  const layer = layerWith(true, build);
  const x = tensor(gpu, random(TOKENS * WIDTH), [TOKENS, WIDTH]);
  const norm = (name: string, y: Tensor) => rmsNorm(y, made.get(`${name}.weight`) as Tensor, 1e-6);
  const { mlp } = layer.parts;
  await expectAlike(
    made,
    () => layer.forward(x, NO_CONTEXT),
    () => {
      const h = add(x, norm('a1', norm('n1', x)));
      return add(h, norm('a2', mlp.forward(norm('n2', h))));
    },
  );
});

it.each([false, true])('taps between layers, computing again %s', async (recompute) => {
  const { build, made } = weights();
  const layer = layerWith(false, build);
  const x = tensor(gpu, random(TOKENS * WIDTH), [TOKENS, WIDTH]);
  const extra = tensor(gpu, random(TOKENS * WIDTH, 3), [TOKENS, WIDTH]);
  await expectAlike(
    made,
    () =>
      runLayers(x, [layer, layer], NO_CONTEXT, { recompute, tap: (h, i) => (i === 0 ? add(h, extra) : h) }),
    () => layer.forward(add(layer.forward(x, NO_CONTEXT), extra), NO_CONTEXT),
  );
});

it('decoders that scale what they embed and take further features', async () => {
  const { build, made } = weights();
  const embeddings = build.parameter('e', [5, WIDTH], 'embedding');
  const one = new Norm(tensor(gpu, new Array(WIDTH).fill(1), [WIDTH]), null, { eps: 1e-6 });
  const ids = tensor(gpu, Int32Array.from([1, -1, 4]), [3], { dtype: 'i32' });
  const [first, second] = [1, 2].map((seed) => tensor(gpu, random(WIDTH, seed), [1, WIDTH]));
  const layer = layerWith(false, build);
  const seen: number[] = [];
  const decoder = new Decoder({
    embeddings,
    head: embeddings,
    layers: [layer, layer],
    norm: one,
    embeddingScale: 3,
    tap: (h, i, { features, featureRows }) => {
      seen.push(i, features.length, ...featureRows);
      return h;
    },
  });
  const input = { ids, featureRows: Int32Array.of(1), features: [first, second] };
  const [x, table] = await Promise.all([scope(() => decoder.embed(input)).data(), embeddings.data()]);
  expect([...x.subarray(WIDTH, 2 * WIDTH)]).toEqual([...(await first.data())]);
  expect(x[2 * WIDTH]).toBeCloseTo(3 * table[4 * WIDTH], 6);
  expect(() => decoder.embed({ ...input, featureRows: Int32Array.of(0, 1) })).toThrow(/2 placeholder tokens/);
  await measured(made, () => decoder.forward(input, NO_CONTEXT));
  expect(seen).toEqual([0, 2, 1, 1, 2, 1]);
});
