/** Quantised checkpoints against transformers with bitsandbytes and PEFT, packed ones against transformers with their numbers. */
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createAdapter } from '../../src/models/core/lora/adapter.js';
import { loadAdapter } from '../../src/models/core/lora/disk.js';
import type { Model } from '../../src/models/core/model.js';
import { type LoadOptions, loadModel } from '../../src/models/load.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { runParity } from '../../src/models/parity/run.js';
import { testGpu } from '../support/gpu.js';

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const held: { dispose(): void }[] = [];

afterEach(() => {
  for (const item of held.splice(0)) item.dispose();
});

async function load(name: string, options: LoadOptions = {}): Promise<Model> {
  const model = await loadModel(await testGpu(), folder + name, options);
  held.push(model);
  return model;
}

it('has the outputs of transformers, and the gradients of an adapter of PEFT', async () => {
  const model = await load('qwen2.5-vl-nf4', { dtype: 'f32' });
  expect(model.warnings).toEqual([]);
  expect(model.isQuantised).toBe(true);
  await loadAdapter(model, `${folder}qwen2.5-vl.lora`);
  const fixture = await Fixture.open(`${folder}qwen2.5-vl-nf4.sft.safetensors`);
  try {
    const { tensors } = await runParity(model, fixture);
    const off = tensors.filter(({ rel }) => !((rel ?? 1) < 1e-4)).map(({ name, rel }) => [name, rel]);
    expect(off).toEqual([]);
    expect(tensors.filter(({ name }) => name.includes('lora_')).length).toBe(20);
  } finally {
    await fixture.close();
  }
});

it('quantises while loading, to the same bits, however little of a tensor is there at a time', async () => {
  const expected = await load('qwen2.5-vl-nf4');
  const quantization = { doubleQuant: true, skip: ['lm_head', 'model.visual.merger'] };
  for (const chunkBytes of [8, undefined]) {
    const model = await load('qwen2.5-vl', { dtype: 'f32', quantization, chunkBytes });
    for (const [name, tensor] of model.parameters.entries()) {
      const other = expected.parameters.get(name);
      expect([name, tensor.dtype]).toEqual([name, other.dtype]);
      expect([name, await tensor.raw()]).toEqual([name, await other.raw()]);
    }
  }
});

it.each(['awq', 'gptq'])('reads what %s packed, and takes an adapter', async (scheme) => {
  const model = await load(`qwen2-${scheme}`);
  expect(model.warnings).toEqual([]);
  const dtypes = [...model.parameters.entries()].map(([name, { dtype }]) =>
    /_proj\.weight/.test(name) ? dtype : '',
  );
  expect(new Set(dtypes)).toEqual(new Set(['int4', '']));
  const fixture = await Fixture.open(`${folder}qwen2-packed.forward.safetensors`);
  try {
    const { tensors } = await runParity(model, fixture);
    expect(tensors.length).toBeGreaterThan(0);
    for (const { name, rel } of tensors) expect(rel, name).toBeLessThan(1e-4);
  } finally {
    await fixture.close();
  }
  const adapter = createAdapter(model, { targets: 'all-linear', rank: 2 }, { seed: 1 });
  expect(adapter.paths).toHaveLength(14);
});
