/** Log-probabilities, entropies, losses, gradients and optimizer steps against transformers, TRL, PEFT and torch. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { readBatch } from '../../src/grpo/parity/batch.js';
import { grpoKind } from '../../src/grpo/parity/kind.js';
import { runBatch } from '../../src/grpo/parity/run.js';
import { loadAdapter, loadModel, type Model } from '../../src/models/index.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { wantedGradients } from '../../src/models/parity/kinds.js';
import { runParity } from '../../src/models/parity/run.js';
import { AdamW } from '../../src/optim/index.js';
import { relativeError } from '../support/compare.js';
import { testGpu, testTiers } from '../support/gpu.js';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));
const held: { dispose(): void }[] = [];
const opened: Fixture[] = [];

afterEach(async () => {
  for (const item of held.splice(0)) item.dispose();
  for (const fixture of opened.splice(0)) await fixture.close();
});

async function load(name: string, adapter = false, tier?: Awaited<ReturnType<typeof testTiers>>[number]) {
  const model = await loadModel(await testGpu(tier), `${folder}models/${name}`, { dtype: 'f32' });
  held.push(model);
  if (adapter) await loadAdapter(model, `${folder}models/${name}.lora`);
  return model;
}

async function open(name: string): Promise<Fixture> {
  const fixture = await Fixture.open(`${folder}grpo/${name}.safetensors`);
  opened.push(fixture);
  return fixture;
}

async function tensors(model: Model, name: string, recompute = false) {
  const fixture = await open(name);
  const { tensors: found } = await runParity(model, fixture, { recompute }, { grpo: grpoKind });
  expect(found.filter((t) => t.name.startsWith('shared.'))).toHaveLength(found.length / 2);
  return found;
}

const names = readdirSync(`${folder}grpo`).map((file) => file.replace('.safetensors', ''));

describe.each(['qwen2-vl', 'qwen2.5-vl'])('%s', (model) => {
  it('has the losses of TRL: every type, both levels, with and without a reference', async () => {
    const loaded = await load(model);
    const types = names.filter((name) => name.startsWith(`${model}.`) && /-(token|sequence)$/.test(name));
    expect(types).toHaveLength(12);
    for (const name of types) {
      const found = await tensors(loaded, name);
      expect(found.length).toBeGreaterThan(12);
      for (const t of found) expect(t.rel, `${name} ${t.name}`).toBeLessThan(1e-4);
    }
  });

  it('has all gradients, with and without computing intermediates again, on all tiers', async () => {
    for (const tier of await testTiers()) {
      const loaded = await load(model, false, tier);
      for (const recompute of [false, true]) {
        const found = await tensors(loaded, `${model}.full`, recompute);
        expect(found.length).toBe(model === 'qwen2-vl' ? 120 : 144);
        for (const t of found) {
          expect(t.pass, `${tier} ${t.name}`).toBe(true);
          if (t.maxAbs! > 1e-6) expect(t.rel, `${tier} ${t.name}`).toBeLessThan(1e-3);
        }
      }
    }
  });
});

it.each([
  ['whose features come in at several depths', 'qwen3-vl', 168],
  ['that looks back on a window, and whose pictures see themselves', 'gemma3', 166],
])('has the loss and all gradients of TRL on a model %s', async (_, model, count) => {
  const found = await tensors(await load(model), `${model}.full`);
  expect(found.length).toBe(count);
  for (const t of found) if (t.maxAbs! > 1e-6) expect(t.rel, t.name).toBeLessThan(1e-3);
});

it('has the loss and gradients of adapters', async () => {
  for (const model of ['qwen2', 'qwen2.5-vl']) {
    const found = await tensors(await load(model, true), `${model}.lora`);
    for (const t of found) expect(t.rel, `${model} ${t.name}`).toBeLessThan(1e-4);
    expect(found.length).toBeGreaterThan(40);
  }
});

it('masks a truncated completion and tokens of low entropy', async () => {
  for (const t of await tensors(await load('qwen2'), 'qwen2.masked'))
    expect(t.rel, t.name).toBeLessThan(1e-4);
});

it.each([
  ['qwen2-vl', 'full'],
  ['qwen2.5-vl', 'full'],
  ['qwen2.5-vl', 'lora'],
  ['qwen2', 'lora'],
  ['qwen3-vl', 'full'],
  ['gemma3', 'full'],
])('%s (%s) is where torch is after five optimizer steps', async (name, kind) => {
  const model = await load(name, kind === 'lora');
  const fixture = await open(`${name}.${kind}`);
  const trained = [...model.namedParameters()].filter(([parameter]) =>
    kind === 'lora' ? parameter.includes('.lora_') : true,
  );
  model.train((parameter) => trained.some(([own]) => own === parameter));
  const learningRate = Number(fixture.metadata.learning_rate);
  const optimizer = new AdamW(model.gpu, [{ parameters: trained, learningRate, weightDecay: 0 }], {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
  });
  held.push(optimizer);
  const batch = await readBatch(fixture, model);
  const before = new Map<string, Float32Array>();
  for (const [parameter, tensor] of trained) before.set(parameter, await tensor.data());
  for (let step = 0; step < Number(fixture.metadata.steps); step++) {
    await runBatch(model, batch, { shared: true, backward: true });
    await optimizer.step(1);
    model.clearGradients();
  }
  const expected = wantedGradients(fixture, model, 'after.');
  expect(expected.size).toBeGreaterThan(3);
  for (const [file, parameter] of expected) {
    const after = await model.findParameter(parameter)!.data();
    const torch = await fixture.floats(file);
    expect(relativeError(after, torch), file).toBeLessThan(1e-3);
    const start = before.get(parameter)!;
    const moved = (values: Float32Array) => values.map((value, i) => value - start[i]);
    // Adam divides by the gradient's size: where that is rounding, so is the direction of the step.
    expect(relativeError(moved(after), moved(torch)), file).toBeLessThan(0.05);
  }
});
