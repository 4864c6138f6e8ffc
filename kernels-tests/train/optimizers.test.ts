/** Optimizers and what becomes of gradients: what must be the same, and what is refused. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { add, backward, checkpoint, mul, sum } from '../../src/autograd/index.js';
import type { Gpu } from '../../src/gpu/index.js';
import { AdamW } from '../../src/optim/index.js';
import { scope, tensor } from '../../src/tensor/index.js';
import { random } from '../support/compare.js';
import { testGpu } from '../support/gpu.js';
import { computedMetrics, removeFolders, runSft, sftConfig, temporary, workspace } from './support.js';

let gpu: Gpu;
let dir: string;
let settings: Record<string, unknown>;
let shared: string;
beforeAll(async () => {
  gpu = await testGpu();
  ({ dir: shared, settings } = await workspace());
});
beforeEach(async () => {
  dir = await temporary();
});
afterAll(removeFolders);

/** A short run: the weights that it ends with, its losses and norms, and the most that gradients took. */
async function run(name: string, extra: Record<string, unknown>) {
  const path = join(dir, name);
  gpu.resetPeakMemory();
  await runSft(gpu, { ...settings, max_steps: 3, ...extra, output_dir: path });
  const file = extra.use_peft ? 'adapter_model.safetensors' : 'model.safetensors';
  const lines = (await computedMetrics(path)).map((line) => JSON.parse(line));
  return {
    weights: await readFile(join(path, 'checkpoints', 'step-000003', file)),
    losses: lines.map(({ loss }) => loss as number),
    norms: lines.map(({ grad_norm: norm }) => norm as number),
    gradients: gpu.memory().peak.gradients,
  };
}

it.each([
  ['all weights, layers computed again', { gradient_checkpointing: true }],
  ['all weights, activations kept', { gradient_checkpointing: false }],
  ['moments in 8 bits', { optim: 'adamw_8bit', dtype: 'bfloat16' }],
  ['an adapter', { use_peft: true, lora_r: 4, freeze_vision_tower: false }],
])('updating in the backward pass changes nothing: %s', async (_, extra) => {
  const base = { ...extra, max_grad_norm: 0, gradient_accumulation_steps: 1 };
  const kept = await run('kept', base);
  const immediate = await run('immediate', { ...base, optimizer_in_backward: true });
  expect(immediate.weights.equals(kept.weights)).toBe(true);
  expect(immediate.losses).toEqual(kept.losses);
  immediate.norms.forEach((norm, i) => {
    expect(norm / kept.norms[i]).toBeCloseTo(1, 5);
  });
  expect(immediate.gradients).toBeLessThan(0.7 * kept.gradients);
});

it('gradients in bf16 lead to the same place within their rounding, clipping included', async () => {
  const exact = await run('exact', { max_grad_norm: 0.5 });
  const rounded = await run('rounded', { max_grad_norm: 0.5, gradient_dtype: 'bfloat16' });
  rounded.norms.forEach((norm, i) => {
    expect(Math.abs(norm / exact.norms[i] - 1)).toBeLessThan(0.01);
    expect(Math.abs(rounded.losses[i] / exact.losses[i] - 1)).toBeLessThan(0.01);
  });
  expect(rounded.weights.equals(exact.weights)).toBe(false);
  expect(rounded.gradients).toBeLessThan(0.8 * exact.gradients);
});

it('a weight that is used twice is updated once, with the whole of its gradient', async () => {
  const values = random(5000, 1);
  const weight = tensor(gpu, values).requireGrad();
  const factors = [2, 3, 5].map((seed) => tensor(gpu, random(5000, seed)));
  const group = { parameters: [['w', weight]] as const, learningRate: 0.1, weightDecay: 0 };
  const optimizer = new AdamW(gpu, [group], {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    gradients: 'immediate',
  });
  scope(() => {
    const used = checkpoint((x) => add(mul(weight, factors[0]), x), mul(weight, factors[1]));
    backward(sum(add(used, mul(weight, factors[2]))));
  });
  expect(weight.grad).toBeNull();
  const { gradNorm, applied } = await optimizer.step(0);
  const [a, b, c] = await Promise.all(factors.map((f) => f.data()));
  const expected = Math.sqrt(a.reduce((n, x, i) => n + (x + b[i] + c[i]) ** 2, 0));
  expect([applied, optimizer.slots[0].steps]).toEqual([true, 1]);
  expect(gradNorm / expected).toBeCloseTo(1, 5);
  // The first step of Adam has the length of the learning rate, whatever the gradient.
  const moved = (await weight.data()).map((x, i) => Math.abs(x - values[i]));
  expect(Math.max(...moved)).toBeCloseTo(0.1, 4);
  optimizer.dispose();
});

it('in the backward pass, a weight whose gradient is not finite stays as it is', async () => {
  const [good, bad] = [random(5000, 1), random(5000, 2)].map((x) => tensor(gpu, x).requireGrad());
  const before = await bad.data();
  const parameters = [['good', good] as const, ['bad', bad] as const];
  const optimizer = new AdamW(gpu, [{ parameters, learningRate: 0.1, weightDecay: 0 }], {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    gradients: 'immediate',
  });
  scope(() => {
    const poison = tensor(gpu, new Float32Array(5000).fill(Number.NaN));
    backward(sum(add(good, mul(bad, poison))));
  });
  expect(await optimizer.step(0)).toMatchObject({ applied: false, nonFinite: ['bad'] });
  expect(await bad.data()).toEqual(before);
  expect(optimizer.slots.map(({ steps }) => steps)).toEqual([1, 0]);
  optimizer.dispose();
});

it.each([
  [
    { optimizer_in_backward: true },
    /"optimizer_in_backward" updates weights before the norm .* set max_grad_norm: 0/,
  ],
  [
    { optimizer_in_backward: true, max_grad_norm: 0, gradient_accumulation_steps: 2 },
    /"optimizer_in_backward" keeps no gradients to add to, but gradient_accumulation_steps is 2/,
  ],
  [
    { optimizer_in_backward: true, max_grad_norm: 0, gradient_dtype: 'bfloat16' },
    /"optimizer_in_backward" keeps no gradients, but gradient_dtype is bfloat16/,
  ],
  [
    { optim: 'adamw_bf16', dtype: 'float32' },
    /"optim" is adamw_bf16, which trains bf16 weights; set dtype: bfloat16/,
  ],
  [{ optim: 'adam' }, /"optim" is "adam"; allowed are adamw_torch, adamw_8bit, adamw_bf16/],
])('refuses %j', (extra, message) => {
  expect(() => sftConfig({ ...settings, gradient_accumulation_steps: 1, ...extra, output_dir: dir })).toThrow(
    message,
  );
});

it('refuses f16 weights without a master before anything is loaded', async () => {
  const tried = runSft(gpu, { ...settings, optim: 'adamw_bf16', output_dir: join(dir, 'run') });
  // The tiny model's files are f32: these train as they are. As f16 they would not.
  await expect(tried).resolves.toMatchObject({ outcome: 'finished' });
  const file = join(shared, 'model', 'config.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), dtype: 'float16' }));
  const lines: string[] = [];
  const half = runSft(gpu, { ...settings, optim: 'adamw_bf16', output_dir: join(dir, 'half') }, { lines });
  await expect(half).rejects.toThrow(/is stored in f16; set dtype: bfloat16, or optim: adamw_8bit/);
});
