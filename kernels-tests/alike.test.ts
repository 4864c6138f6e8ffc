/** Layers that are done by what the ones before them launched: the same bits, the same memory, fewer launches from scratch. */
import { afterEach, expect, it, vi } from 'vitest';
import { Repeats } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { PolicyPass } from '../src/grpo/index.js';
import { createAdapter, Model, parseConfig, weightsOnPaper } from '../src/models/index.js';
import { architecture } from '../src/models/init/init.js';
import { scope, type Tensor } from '../src/tensor/index.js';
import { testGpu } from './support/gpu.js';

const LAYERS = 7;
const WORDS = (count: number, seed: number) => Array.from({ length: count }, (_, i) => (i * 7 + seed) % 60);

afterEach(() => vi.restoreAllMocks());

interface Setting {
  readonly arch?: string;
  readonly lora?: boolean;
  readonly dropout?: number;
  /** Gradients are taken away as soon as they are complete, as optimizers do that update in the backward pass. */
  readonly taken?: boolean;
  /** Changes the model before it runs. */
  readonly change?: (model: Model) => void;
}

/** A model of several layers, its weights the same each time. */
function makeModel(gpu: Gpu, { arch = 'tiny-qwen2', lora = false, dropout = 0, change }: Setting): Model {
  const config = parseConfig({ ...architecture(arch).raw, num_hidden_layers: LAYERS });
  const model = new Model(gpu, config, weightsOnPaper(gpu, config, 'f32'));
  model.train((name) => !name.includes('embed') && !name.includes('visual'));
  if (lora) {
    createAdapter(model, { rank: 4, alpha: 8, targets: 'all-linear', dropout }, { seed: 1 });
    model.train((name) => name.includes('lora_'));
  }
  let seed = 0;
  for (const [, weight] of model.namedParameters()) {
    const by = seed++ * 0.7;
    weight.write(Float32Array.from({ length: weight.size }, (_, i) => 0.3 * Math.sin(i * 1.3 + by)));
  }
  change?.(model);
  return model;
}

/** Two micro-batches: the second one adds to gradients that are there. */
async function learn(gpu: Gpu, setting: Setting) {
  const model = makeModel(gpu, setting);
  const taken: [string, Tensor][] = [];
  for (const [name, weight] of setting.taken ? model.namedParameters() : []) {
    weight.onGradient = () => {
      taken.push([name, weight.grad as Tensor]);
      weight.grad = null;
    };
  }
  // What lies unused is handed out although it is a little larger.
  gpu.trim();
  gpu.resetPeakMemory();
  const from = gpu.memory();
  const launch = vi.spyOn(gpu, 'launch');
  const found: number[][] = [];
  for (const tokens of [9, 5]) {
    const completions = [WORDS(tokens, 1), WORDS(tokens + 2, 2)];
    const group = { prompt: { ids: WORDS(12, tokens) }, pixels: null, completions };
    const pass = new PolicyPass(model, [group], {
      temperature: 1,
      recompute: true,
      ...(setting.dropout ? { dropout: { seed: 3, step: tokens } } : {}),
    });
    const { logps } = await pass.read();
    scope(() => pass.backward({ logps: completions.map((ids) => ids.map((_, i) => 0.1 + i)) }));
    pass.dispose();
    found.push(...logps.map((list) => [...list]));
  }
  const { peakTotal, liveTotal } = gpu.memory();
  const gradients = new Map<string, number[]>();
  for (const [name, { grad }] of model.namedParameters())
    if (grad) gradients.set(name, [...(await grad.data())]);
  for (const [i, [name, grad]] of taken.entries()) {
    gradients.set(`${i}: ${name}`, [...(await grad.data())]);
    grad.dispose();
  }
  const launches = launch.mock.calls.length;
  launch.mockRestore();
  model.dispose();
  await gpu.sync();
  return {
    found,
    gradients,
    launches,
    memory: [peakTotal - from.liveTotal, liveTotal - from.liveTotal],
    left: gpu.memory().liveTotal,
  };
}

const CASES: [string, Setting, boolean][] = [
  ['all weights', {}, true],
  ['an adapter', { lora: true }, true],
  ['all weights, whose gradients are taken at once', { taken: true }, true],
  ['sections of positions', { arch: 'tiny-qwen2-vl', lora: true }, true],
  ['an adapter with masks that each layer draws for itself', { lora: true, dropout: 0.2 }, false],
  [
    'one layer that does not train, and one without an adapter',
    {
      lora: true,
      change: (model) => {
        model.train((name) => name.includes('lora_') && !name.includes('layers.3.'));
        const linear = model.linears.get('model.layers.4.mlp.up_proj');
        if (linear) linear.adapter = null;
      },
    },
    true,
  ],
];

it.each(CASES)('%s: the same bits and bytes', async (_, setting, repeats) => {
  const gpu = await testGpu();
  const alike = await learn(gpu, setting);
  vi.spyOn(gpu, 'capture').mockImplementation((_buffers, body) => ({ result: body(), template: null }));
  const plain = await learn(gpu, setting);
  expect(alike.found).toEqual(plain.found);
  expect([...alike.gradients.keys()]).toEqual([...plain.gradients.keys()]);
  expect(alike.gradients.size).toBeGreaterThan(5);
  for (const [name, values] of plain.gradients)
    expect([name, alike.gradients.get(name)]).toEqual([name, values]);
  expect(alike.memory).toEqual(plain.memory);
  expect(alike.left).toBe(plain.left);
  if (repeats) expect(alike.launches).toBeLessThan(0.85 * plain.launches);
  else expect(alike.launches).toBe(plain.launches);
});

it('nothing is repeated that uses a buffer of its own which is not among its parts', async () => {
  const gpu = await testGpu();
  const model = makeModel(gpu, {});
  const weights = [...model.parameters.entries()].filter(([name]) => name.endsWith('input_layernorm.weight'));
  const repeats = new Repeats();
  const launch = vi.spyOn(gpu, 'launch');
  const { add } = await import('../src/autograd/index.js');
  for (const [, weight] of weights) {
    const { tensors } = repeats.run('sum', {}, [weights[0][1]], () => ({
      tensors: [scope(() => add(weights[0][1], weight))],
      trainable: false,
      leaves: [],
    }));
    const [a, b, sum] = await Promise.all([weights[0][1], weight, tensors[0]!].map((t) => t.data()));
    expect(sum).toEqual(a.map((x, i) => Math.fround(x + b[i])));
    tensors[0]?.dispose();
  }
  expect(launch).toHaveBeenCalledTimes(weights.length);
  model.dispose();
});
