/** What trains, at which rate, and that the rest stays as it is. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/checkpoint.js';
import type { Gpu } from '../../src/gpu/index.js';
import { loadAdapter, loadModel } from '../../src/models/index.js';
import { parameterGroups } from '../../src/train/parts.js';
import { loadPolicy } from '../../src/train/policy.js';
import { testGpu } from '../support/gpu.js';
import { removeFolders, runSft, sftConfig, workspace } from './support.js';

let gpu: Gpu;
let dir: string;
let settings: Record<string, unknown>;
beforeAll(async () => {
  gpu = await testGpu();
  ({ dir, settings } = await workspace());
});
afterAll(removeFolders);

/** Names of the weights that a run has changed. */
async function changed(extra: Record<string, unknown>): Promise<string[]> {
  const run = join(dir, 'run');
  await runSft(gpu, { ...settings, max_steps: 1, overwrite_output_dir: true, ...extra, output_dir: run });
  const before = await openCheckpoint(join(dir, 'model'));
  const after = await openCheckpoint(join(run, 'checkpoints', 'step-000001'));
  try {
    const names: string[] = [];
    for (const name of before.names()) {
      const old = Buffer.from((await before.read(name)).slice());
      if (!old.equals(await after.read(name))) names.push(name);
    }
    return names;
  } finally {
    await before.close();
    await after.close();
  }
}

const part = (name: string) =>
  name.startsWith('visual.merger') ? 'merger' : name.startsWith('visual') ? 'tower' : 'language';

it.each([
  [{}, ['language', 'merger', 'tower']],
  [{ freeze_vision_tower: true }, ['language']],
  [{ freeze_vision_tower: true, freeze_merger: false }, ['language', 'merger']],
  [{ freeze_language_model: true, freeze_merger: true, freeze_vision_tower: false }, ['tower']],
] as const)('%j trains %j', async (flags, parts) => {
  const names = await changed(flags);
  expect([...new Set(names.map(part))].sort()).toEqual(parts);
  expect(names.length).toBeGreaterThan(4);
});

it('gives each part its rate and spares norms and biases the decay', async () => {
  const rates = { vision_tower: 1e-5, merger: 1e-4 };
  const config = sftConfig({
    ...settings,
    learning_rate: 1e-3,
    learning_rates: rates,
    weight_decay: 0.1,
    output_dir: 'o',
  });
  const model = await loadPolicy(gpu, config);
  const found = new Map<string, [number, number]>();
  for (const { parameters, learningRate, weightDecay } of parameterGroups(config, model)) {
    for (const [name] of parameters) found.set(name, [learningRate, weightDecay]);
  }
  expect(found.size).toBe([...model.namedParameters()].length);
  expect(found.get('visual.blocks.0.attn.qkv.weight')).toEqual([1e-5, 0.1]);
  expect(found.get('visual.blocks.0.norm1.weight')).toEqual([1e-5, 0]);
  expect(found.get('visual.merger.mlp.0.bias')).toEqual([1e-4, 0]);
  expect(found.get('model.embed_tokens.weight')).toEqual([1e-3, 0.1]);
  expect(found.get('model.layers.0.self_attn.q_proj.bias')).toEqual([1e-3, 0]);
  model.dispose();
});

describe('an adapter', () => {
  async function trainable(extra: Record<string, unknown>): Promise<string[]> {
    const model = await loadPolicy(
      gpu,
      sftConfig({ ...settings, use_peft: true, lora_r: 2, output_dir: 'o', ...extra }),
    );
    const names = [...model.namedParameters()]
      .filter(([, tensor]) => tensor.requiresGrad)
      .map(([name]) => name);
    model.dispose();
    return names;
  }

  it('stands beside the layers of the parts that are not frozen', async () => {
    const parts = async (extra: Record<string, unknown>) =>
      [...new Set((await trainable(extra)).map(part))].sort();
    expect(await parts({})).toEqual(['language']);
    expect(await parts({ freeze_vision_tower: false })).toEqual(['language', 'merger', 'tower']);
    expect(await parts({ freeze_merger: false })).toEqual(['language', 'merger']);
    expect(await parts({ freeze_language_model: true, freeze_vision_tower: false })).toEqual([
      'merger',
      'tower',
    ]);
  });

  it('may leave out modules, or all of attention or of MLPs', async () => {
    const modules = async (extra: Record<string, unknown>) => {
      const names = await trainable({ freeze_vision_tower: false, freeze_language_model: true, ...extra });
      return [...new Set(names.map((name) => name.split('.').at(-3)))].sort();
    };
    const all = await modules({});
    expect(all).toEqual(expect.arrayContaining(['fc1', 'fc2', 'proj', 'qkv']));
    expect(await modules({ lora_exclude_modules: ['fc1'] })).toEqual(all.filter((name) => name !== 'fc1'));
    expect(await modules({ lora_attention: false, lora_exclude_modules: ['fc1'] })).not.toContain('qkv');
    expect(await modules({ lora_mlp: false })).toEqual(['proj', 'qkv']);
    expect(await modules({ lora_mlp: false, lora_exclude_modules: '.*\\.proj' })).toEqual(['qkv']);
  });

  it('may have modules that train whole', async () => {
    const names = await trainable({ lora_target_modules: ['q_proj'], lora_modules_to_save: ['norm'] });
    expect(names).toContain('model.norm.weight');
    expect(names.filter((name) => !name.includes('q_proj.lora_'))).toEqual(['model.norm.weight']);
    await expect(trainable({ lora_modules_to_save: ['nrm'] })).rejects.toThrow(
      /has "nrm", which is no module/,
    );
    await expect(trainable({ lora_target_modules: ['nope'] })).rejects.toThrow(/match no module; there are/);
  });

  it('is saved as PEFT saves it, with what trains whole', async () => {
    const run = join(dir, 'run');
    const extra = {
      use_peft: true,
      lora_r: 2,
      lora_modules_to_save: ['norm'],
      lora_rank_pattern: { q_proj: 3 },
      lora_alpha_pattern: { 'layers\\.0\\..*': 5 },
      max_steps: 1,
      overwrite_output_dir: true,
    };
    await runSft(gpu, { ...settings, ...extra, output_dir: run });
    const model = await loadModel(gpu, join(dir, 'model'));
    const norm = await model.parameters.get('model.norm.weight').data();
    const adapter = await loadAdapter(model, join(run, 'checkpoints', 'step-000001'));
    expect(adapter.config).toMatchObject({ rank: 2, alpha: 32, modulesToSave: ['norm'] });
    const query = model.linears.get(
      adapter.paths.find((path) => path.endsWith('0.self_attn.q_proj')) as string,
    );
    expect(query?.adapter?.a.shape[0]).toBe(3);
    expect(query?.adapter?.scale).toBeCloseTo(5 / 3, 9);
    expect(await model.parameters.get('model.norm.weight').data()).not.toEqual(norm);
    model.dispose();
  });
});
