/** What trainers and generation rely on: shared prompts, memory, limits of the adapter, loading and saving. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { add, backward, concat, gatherRows, mul, sum, tokenLogProbs } from '../../src/autograd/index.js';
import { openCheckpoint } from '../../src/formats/checkpoint.js';
import type { Grid } from '../../src/models/core/grid.js';
import type { Model } from '../../src/models/core/model.js';
import { type PackedCompletion, packGroups, packSequences } from '../../src/models/core/packing.js';
import { saveModel } from '../../src/models/core/save.js';
import { initModel } from '../../src/models/init/init.js';
import { type LoadOptions, loadModel } from '../../src/models/load.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { runParity } from '../../src/models/parity/run.js';
import { fromHost, scope, type Tensor, tensor } from '../../src/tensor/index.js';
import { random, relativeError } from '../support/compare.js';
import { testGpu } from '../support/gpu.js';

const fixtures = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const held: { dispose(): void }[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const item of held.splice(0)) item.dispose();
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true });
});

async function load(dir: string, options: LoadOptions = {}): Promise<Model> {
  const model = await loadModel(await testGpu(), dir, { dtype: 'f32', ...options });
  held.push(model);
  return model;
}

async function temporary(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'osler-model-'));
  folders.push(dir);
  return dir;
}

const IMAGE = 85;
const PROMPT = [3, 82, ...Array(15).fill(IMAGE), 83, 7, 9];
const GRID = [1, 6, 10] as const;
const PIXELS = random(60 * 24, 5);
/** What a group is about: a prompt with a picture. */
const SCENE = { prompt: PROMPT, grid: GRID as Grid, pixels: PIXELS };
type Scene = typeof SCENE;
/** With its completions longer than the window. */
const WINDOWED: Scene = {
  prompt: [3, 82, ...Array(4).fill(IMAGE), 83, 7, 9],
  grid: [1, 4, 4],
  pixels: random(16 * 12, 5),
};
const COMPLETIONS = [
  [11, 12, 13, 81],
  [14, 81],
  [15, 16, 17, 18, 19, 20, 81],
];

/** Weighted sum of the completions' log-probabilities and entropies. */
function objective(model: Model, hidden: Tensor, completions: readonly PackedCompletion[]): Tensor {
  const rows = completions.flatMap((c) => [...c.rows]);
  const targets = Int32Array.from(completions.flatMap((c) => [...c.targets]));
  const ids = fromHost(model.gpu, targets, [targets.length], 'i32');
  const { logp, entropy } = tokenLogProbs(gatherRows(hidden, rows), model.head, ids);
  const weights = tensor(model.gpu, random(rows.length, 8));
  return add(sum(mul(logp, weights)), sum(mul(entropy, weights)));
}

async function gradientsOf(model: Model): Promise<Record<string, Float32Array>> {
  const out: Record<string, Float32Array> = {};
  for (const [name, { grad }] of model.namedParameters()) if (grad) out[name] = await grad.data();
  model.clearGradients();
  return out;
}

/** One prompt for all completions. */
async function shared(model: Model, { prompt, grid, pixels }: Scene, recompute = false) {
  const packed = packGroups(model.config, [
    { prompt: { ids: prompt, images: [grid] }, completions: COMPLETIONS },
  ]);
  const batch = model.prepare(packed);
  const images = model.encodeImages(pixels, [grid], { recompute });
  const loss = scope(() =>
    objective(model, model.hidden(batch, images.features, { recompute }), packed.completions.flat()),
  );
  backward(loss);
  const value = await loss.item();
  loss.dispose();
  images.dispose();
  batch.dispose();
  return { tokens: packed.ids.length, loss: value, gradients: await gradientsOf(model) };
}

/** Each completion with a prompt of its own, as the reference trainers do. */
async function copied(model: Model, { prompt, grid, pixels }: Scene) {
  const sequences = COMPLETIONS.map((ids) => ({ ids: [...prompt, ...ids], images: [grid] }));
  const packed = packSequences(model.config, sequences);
  const batch = model.prepare(packed);
  const images = model.encodeImages(pixels, [grid]);
  let next = 0;
  const completions = COMPLETIONS.map((ids) => {
    next += prompt.length + ids.length;
    const first = next - ids.length - 1;
    return { rows: Int32Array.from(ids, (_, i) => first + i), targets: Int32Array.from(ids) };
  });
  const loss = scope(() => {
    const features = images.features.map((level) => concat([level, level, level], 0));
    return objective(model, model.hidden(batch, features), completions);
  });
  backward(loss);
  const value = await loss.item();
  loss.dispose();
  images.dispose();
  batch.dispose();
  return { tokens: packed.ids.length, loss: value, gradients: await gradientsOf(model) };
}

describe.each([
  ['qwen2-vl', SCENE],
  ['qwen2.5-vl', SCENE],
  ['qwen3-vl', SCENE],
  ['gemma3', WINDOWED],
])('a group of completions on %s', (name, scene) => {
  it('has the loss and gradients of separate copies', async () => {
    const model = await load(fixtures + name);
    model.train(() => true);
    const naive = await copied(model, scene);
    for (const recompute of [false, true]) {
      const group = await shared(model, scene, recompute);
      expect(group.tokens).toBe(naive.tokens - 2 * scene.prompt.length);
      expect(group.loss).toBeCloseTo(naive.loss, 4);
      expect(Object.keys(group.gradients)).toEqual(Object.keys(naive.gradients));
      for (const [parameter, gradient] of Object.entries(naive.gradients)) {
        // Keys' biases have no effect on softmax: their gradients are rounding.
        const floor = Math.max(...gradient.map(Math.abs)) < 1e-5;
        if (!floor) expect(relativeError(group.gradients[parameter], gradient), parameter).toBeLessThan(1e-4);
      }
    }
  });

  it('holds no memory from one step to the next', async () => {
    const model = await load(fixtures + name);
    model.train((parameter) => parameter.includes('q_proj') || parameter.includes('qkv'));
    const live: number[] = [];
    for (let step = 0; step < 4; step++) {
      await shared(model, scene, step % 2 === 1);
      live.push(model.gpu.memory().liveTotal);
    }
    expect(live[3]).toBe(live[1]);
    expect(live[2]).toBe(live[1]);
  });

  it('trains what is asked and nothing else', async () => {
    const model = await load(fixtures + name);
    const chosen = (parameter: string) => /layers\.1\.mlp|merger/.test(parameter);
    model.train(chosen);
    const { gradients } = await shared(model, scene);
    const wanted = [...model.parameters.entries()].map(([parameter]) => parameter).filter(chosen);
    expect(Object.keys(gradients)).toEqual(wanted);
  });
});

it('gives the same features whether pixels come from the host or the device', async () => {
  const model = await load(`${fixtures}qwen2.5-vl`);
  const pixels = tensor(model.gpu, PIXELS, [60, 24]);
  const [host, device] = [model.encodeImages(PIXELS, [GRID]), model.encodeImages(pixels, [GRID])];
  held.push(pixels, host, device);
  expect(await device.features[0].data()).toEqual(await host.features[0].data());
  expect(() => model.encodeImages(PIXELS, [[1, 2, 2]])).toThrow(
    /1440 numbers; the grids need 4 patches of 24/,
  );
});

it('works on adapters that bind little at once, and at few addresses', async () => {
  const gpu = await testGpu(undefined, { maxBindingBytes: 65536, bindingAlignment: 256 });
  const model = await loadModel(gpu, `${fixtures}qwen2.5-vl`, { dtype: 'f32' });
  const fixture = await Fixture.open(`${fixtures}qwen2.5-vl.sft.safetensors`);
  const { tensors } = await runParity(model, fixture);
  expect(Math.max(...tensors.map((t) => (t.maxAbs! <= 1e-6 ? 0 : t.rel!)))).toBeLessThan(1e-3);
  await fixture.close();
  model.dispose();
});

describe('files', () => {
  it('come back as they were loaded, under the published names', async () => {
    for (const name of ['qwen2.5-vl', 'qwen2']) {
      const model = await load(fixtures + name, { dtype: 'auto' });
      const dir = await temporary();
      await saveModel(dir, model.config, model.parameters.entries(), { maxShardBytes: 30000 });
      const [before, after] = [await openCheckpoint(fixtures + name), await openCheckpoint(dir)];
      expect(after.names().every((file) => /^(model\.(layers|embed|norm)|visual|lm_head)/.test(file))).toBe(
        true,
      );
      const same = (file: string) =>
        file.replace('model.visual', 'visual').replace('model.language_model', 'model');
      for (const file of before.names()) {
        expect(await after.read(same(file)), file).toEqual(await before.read(file));
      }
      await before.close();
      await after.close();
      const again = await load(dir);
      expect(again.config.text).toEqual(model.config.text);
    }
  });

  it('made by init depend on nothing but the options', async () => {
    const [first, second, other] = [await temporary(), await temporary(), await temporary()];
    await initModel(first, { arch: 'tiny', seed: 1 });
    await initModel(second, { arch: 'tiny', seed: 1 });
    await initModel(other, { arch: 'tiny', seed: 2 });
    const weights = (dir: string) => readFile(join(dir, 'model.safetensors'));
    expect((await weights(first)).equals(await weights(second))).toBe(true);
    expect((await weights(first)).equals(await weights(other))).toBe(false);
    const model = await load(first);
    expect(model.warnings).toEqual([]);
    const values = await model.parameters.get('model.layers.0.mlp.up_proj.weight').data();
    const mean = values.reduce((a, b) => a + b) / values.length;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    expect(mean).toBeCloseTo(0, 3);
    expect(deviation).toBeGreaterThan(0.019);
    expect(deviation).toBeLessThan(0.021);
  });

  it('load through a few megabytes of host memory', async () => {
    const dir = await temporary();
    await initModel(dir, { arch: 'small-qwen2', seed: 1 });
    const start = process.memoryUsage().arrayBuffers;
    let peak = 0;
    let last = 0;
    await load(dir, {
      dtype: 'auto',
      chunkBytes: 1 << 20,
      onProgress: ({ bytesDone, bytesTotal }) => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - start);
        last = bytesDone / bytesTotal;
      },
    });
    expect(last).toBe(1);
    expect(peak).toBeLessThan(8 << 20);
  });

  it('are refused with a reason', async () => {
    const dir = await temporary();
    const copy = () => cp(`${fixtures}qwen2`, dir, { recursive: true });
    const config = async (change: object) => {
      const raw = JSON.parse(await readFile(join(`${fixtures}qwen2`, 'config.json'), 'utf8')) as object;
      await writeFile(join(dir, 'config.json'), JSON.stringify({ ...raw, ...change }));
    };
    await expect(load(dir)).rejects.toThrow(/config\.json does not exist/);
    await copy();
    await config({ num_hidden_layers: 3 });
    await expect(load(dir)).rejects.toThrow(
      /lacks "model\.layers\.2\..* and \d+ more; do config\.json and the weights/,
    );
    await config({ tie_word_embeddings: false });
    await expect(load(dir)).rejects.toThrow(/lacks "lm_head\.weight"; set "tie_word_embeddings": true/);
    await config({ intermediate_size: 64 });
    await expect(load(dir)).rejects.toThrow(/has shape \[.*\], but config\.json makes it \[/);
    await config({ num_hidden_layers: 1 });
    expect((await load(dir)).warnings[0]).toMatch(/unused tensors: "model\.layers\.1\./);
    await writeFile(join(dir, 'config.json'), '{');
    await expect(load(dir)).rejects.toThrow(/config\.json is not valid JSON/);
  });
});

it('refuses batches that do not fit the model', async () => {
  const model = await load(`${fixtures}qwen2.5-vl`);
  const { config } = model;
  expect(() => packSequences(config, [{ ids: [90] }])).toThrow(/token id 90 is not in the vocabulary of 90/);
  expect(() => packSequences(config, [{ ids: [] }])).toThrow(/sequence 0 has no tokens/);
  expect(() => packGroups(config, [{ prompt: { ids: [1] }, completions: [[IMAGE]] }])).toThrow(
    /prompts only may/,
  );
  const batch = model.prepare(packSequences(config, [{ ids: PROMPT, images: [GRID] }]));
  held.push(batch);
  expect(() => model.hidden(batch)).toThrow(/15 placeholder tokens and 0 image features/);
  const text = await load(`${fixtures}qwen2`);
  expect(() => text.encodeImages(PIXELS, [GRID])).toThrow(/qwen2 model cannot see/);
});
