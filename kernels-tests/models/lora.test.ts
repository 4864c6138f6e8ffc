/** Adapters against PEFT: outputs, gradients, merged weights, files. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type Adapter, createAdapter } from '../../src/models/core/lora/adapter.js';
import { LORA_DEFAULTS, parseLoraConfig } from '../../src/models/core/lora/config.js';
import { loadAdapter, saveAdapter } from '../../src/models/core/lora/disk.js';
import { scaling, targets } from '../../src/models/core/lora/targets.js';
import type { Model } from '../../src/models/core/model.js';
import { loadModel } from '../../src/models/load.js';
import { mergeAdapter } from '../../src/models/merge.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { forwardKind } from '../../src/models/parity/kinds.js';
import { MODEL_KINDS, runParity } from '../../src/models/parity/run.js';
import { relativeError } from '../support/compare.js';
import { testGpu } from '../support/gpu.js';

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const held: { dispose(): void }[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const item of held.splice(0)) item.dispose();
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true });
});

function base(name: string): Promise<Model> {
  return loaded(folder + name);
}

async function loaded(dir: string): Promise<Model> {
  const model = await loadModel(await testGpu(), dir, { dtype: 'f32' });
  held.push(model);
  return model;
}

/** Has the weights that PEFT merged. */
async function expectMerged(model: Model, name: string): Promise<void> {
  const merged = await Fixture.open(`${folder}${name}.lora.merged.safetensors`);
  for (const file of merged.names()) {
    const weight = model.parameters.get(model.config.names.canonical(file) as string);
    expect(relativeError(await weight.data(), await merged.floats(file)), file).toBeLessThan(1e-5);
  }
  await merged.close();
}

async function temporary(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'osler-lora-'));
  folders.push(dir);
  return dir;
}

async function parity(model: Model, fixtureName: string, gradients = true) {
  const fixture = await Fixture.open(`${folder}${fixtureName}.sft.safetensors`);
  try {
    // A fixture of kind sft has logits, too: without the adapter's matrices they are all that can be compared.
    return (await runParity(model, fixture, {}, gradients ? MODEL_KINDS : { sft: forwardKind })).tensors;
  } finally {
    await fixture.close();
  }
}

const CASES = [
  ['qwen2.5-vl', 20],
  ['qwen2-vl', 16],
  ['qwen2', 24],
  ['qwen3-vl', 20],
  ['gemma3', 18],
] as const;

describe.each(CASES)('an adapter of %s', (name, matrices) => {
  it('has the outputs and gradients of PEFT', async () => {
    const model = await base(name);
    const adapter = await loadAdapter(model, `${folder}${name}.lora`);
    expect([...adapter.parameters.entries()]).toHaveLength(matrices);
    const tensors = await parity(model, `${name}.lora`);
    expect(tensors).toHaveLength(matrices + 2);
    for (const tensor of tensors)
      expect(tensor.rel, tensor.name).toBeLessThan(tensor.name.startsWith('grad') ? 1e-3 : 1e-4);
  });

  it('merges to the same weights', async () => {
    const model = await base(name);
    (await loadAdapter(model, `${folder}${name}.lora`)).merge();
    expect(model.adapter).toBeNull();
    await expectMerged(model, name);
    for (const tensor of await parity(model, `${name}.lora`, false)) expect(tensor.rel).toBeLessThan(1e-4);
  });

  it('is saved as it was loaded', async () => {
    const model = await base(name);
    const first = await loadAdapter(model, `${folder}${name}.lora`);
    const dir = await temporary();
    await saveAdapter(first, dir);
    const before = await values(first);
    first.dispose();
    expect(await values(await loadAdapter(model, dir))).toEqual(before);
    const key = new RegExp(
      name === 'qwen2' ? '"base_model.model.model.layers.0' : 'model.model.language_model.layers.0',
    );
    expect(await readFile(join(dir, 'adapter_model.safetensors'), 'latin1')).toMatch(key);
  });
});

describe('osler merge', () => {
  it('writes what PEFT merges, and says what rounding loses', async () => {
    const dir = await temporary();
    const gpu = await testGpu();
    const from = { adapter: `${folder}qwen2.5-vl.lora`, base: `${folder}qwen2.5-vl` };
    const exact = await mergeAdapter(gpu, { ...from, out: join(dir, 'f32'), dtype: 'float32' });
    expect(exact).toMatchObject({ merged: 10, decoded: 0, rounding: { most: 0, mean: 0 }, changeLost: 0 });
    await expectMerged(await loaded(join(dir, 'f32')), 'qwen2.5-vl');
    const rounded = await mergeAdapter(gpu, { ...from, out: join(dir, 'bf16'), dtype: 'bfloat16' });
    expect(rounded.rounding.most).toBeLessThanOrEqual(2 ** -8);
    expect(rounded.rounding.mean).toBeGreaterThan(2 ** -11);
    expect(rounded.changeLost).toBeGreaterThan(0);
  });

  it('decodes a base in 4 bits', async () => {
    const dir = await temporary();
    const from = { adapter: `${folder}qwen2.5-vl.lora`, base: `${folder}qwen2.5-vl-nf4` };
    const result = await mergeAdapter(await testGpu(), { ...from, out: dir, dtype: 'float32' });
    expect(result).toMatchObject({ merged: 10, decoded: 29 });
    const model = await loaded(dir);
    expect(model.isQuantised).toBe(false);
    for (const tensor of await parity(model, 'qwen2.5-vl-nf4', false)) expect(tensor.rel).toBeLessThan(1e-4);
  });
});

async function values(adapter: Adapter): Promise<Record<string, number[]>> {
  const out: Record<string, number[]> = {};
  for (const [name, tensor] of adapter.parameters.entries()) out[name] = [...(await tensor.data())];
  return out;
}

describe('createAdapter', () => {
  it('leaves the tower alone unless asked, and tells PEFT so', async () => {
    const model = await base('qwen2.5-vl');
    const paths = (settings: Parameters<typeof createAdapter>[1], adaptVision?: boolean) => {
      const adapter = createAdapter(model, settings, { seed: 1, adaptVision });
      const found = { vision: 0, text: 0, exclude: adapter.config.exclude };
      for (const path of adapter.paths) found[path.startsWith('visual.') ? 'vision' : 'text']++;
      adapter.dispose();
      return found;
    };
    const mlp = ['gate_proj', 'up_proj', 'down_proj'];
    expect(paths({ targets: mlp })).toEqual({ vision: 0, text: 6, exclude: '.*\\.?visual\\..*' });
    expect(paths({ targets: mlp }, true)).toEqual({ vision: 9, text: 6, exclude: null });
    expect(paths({ targets: 'all-linear' })).toMatchObject({ vision: 0, text: 14 });
    expect(paths({ targets: 'all-linear' }, true)).toMatchObject({ vision: 3 * 5 + 2, text: 14 });
    expect(paths({ targets: '.*(gate|up)_proj', exclude: ['up_proj'] })).toMatchObject({
      vision: 0,
      text: 2,
    });
    expect(paths({ targets: '.*visual.*(gate|up)_proj' })).toMatchObject({
      vision: 6,
      text: 0,
      exclude: null,
    });
    expect(paths({ targets: ['q_proj', 'v_proj'] })).toEqual({ vision: 0, text: 4, exclude: null });
    expect(() => paths({ targets: ['c_attn'] })).toThrow(/match no module; there are .*q_proj/);
  });

  it('starts as the identity and depends on the seed alone', async () => {
    const model = await base('qwen2');
    const make = (seed: number) => createAdapter(model, { targets: ['q_proj'], rank: 2 }, { seed });
    const first = make(1);
    const drawn = await values(first);
    expect(Math.max(...drawn['model.layers.0.self_attn.q_proj.lora_B.weight'].map(Math.abs))).toBe(0);
    const a = drawn['model.layers.0.self_attn.q_proj.lora_A.weight'];
    expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(32));
    expect(Math.max(...a.map(Math.abs))).toBeGreaterThan(0.9 / Math.sqrt(32));
    expect(() => make(2)).toThrow(/has an adapter already/);
    first.dispose();
    const again = make(1);
    expect(await values(again)).toEqual(drawn);
    again.dispose();
    const other = make(2);
    expect(await values(other)).not.toEqual(drawn);
  });

  it('can be left out of a pass', async () => {
    const model = await base('qwen2');
    const adapter = await loadAdapter(model, `${folder}qwen2.lora`);
    const linear = model.linears.get(adapter.paths[0])!;
    adapter.without(() => expect(linear.adapter).toBeNull());
    expect(linear.adapter).not.toBeNull();
  });
});

describe('PEFT rules', () => {
  const config = { ...LORA_DEFAULTS, targets: ['q_proj'] };
  const path = 'model.language_model.layers.11.self_attn.q_proj';

  it('matches modules', () => {
    expect(targets(config, path)).toBe(true);
    expect(targets({ ...config, targets: ['proj'] }, path)).toBe(false);
    expect(targets({ ...config, targets: 'q_proj' }, path)).toBe(false);
    expect(targets({ ...config, targets: '.*(?P<what>q|k)_proj' }, path)).toBe(true);
    expect(targets({ ...config, exclude: ['self_attn.q_proj'] }, path)).toBe(false);
    expect(targets({ ...config, exclude: '.*layers\\.11.*' }, path)).toBe(false);
    expect(targets({ ...config, modulesToSave: ['self_attn'] }, path)).toBe(false);
    expect(targets({ ...config, layers: [1] }, path)).toBe(false);
    expect(targets({ ...config, layers: [11] }, path)).toBe(true);
    expect(targets({ ...config, layers: [11], layersPattern: ['blocks'] }, path)).toBe(false);
    expect(() => targets({ ...config, targets: '(' }, path)).toThrow(/pattern that cannot be read/);
  });

  it('scales', () => {
    expect(scaling({ ...config, rank: 8, alpha: 16 }, path).scale).toBe(2);
    expect(scaling({ ...config, rank: 8, alpha: 16, rsLora: true }, path).scale).toBeCloseTo(5.65685, 5);
    const patterns = {
      rankPattern: { q_proj: 4, 'layers.11.self_attn.q_proj': 2 },
      alphaPattern: { k_proj: 1 },
    };
    expect(scaling({ ...config, ...patterns }, path)).toEqual({ rank: 4, alpha: 8, scale: 2 });
  });

  it.each([
    [{ peft_type: 'IA3' }, /peft_type "IA3"/],
    [{ use_dora: true }, /"use_dora" is true, which is not supported/],
    [{ bias: 'all' }, /"bias" is "all"; expected one of none/],
    [{ r: 0 }, /"r" is 0/],
    [{ rank_pattern: { a: 'x' } }, /"rank_pattern"/],
    [{ rank_pattern: { '(.*)*x': 2 } }, /"rank_pattern": "\(\.\*\)\*x" repeats too much/],
    [{ lora_dropout: 1 }, /"lora_dropout" is 1/],
    [{ target_modules: [1] }, /"target_modules" is \[1\]/],
  ])('refuses %j', (change, message) => {
    expect(() => parseLoraConfig({ peft_type: 'LORA', r: 4, ...change }, 'adapter_config.json')).toThrow(
      message as RegExp,
    );
  });
});
