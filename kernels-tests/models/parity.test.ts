/** Logits, loss and every gradient against transformers, on tiny random checkpoints of all families. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Tier } from '../../src/gpu/index.js';
import type { WeightDtype } from '../../src/models/core/load-weights.js';
import type { PassOptions } from '../../src/models/core/model.js';
import { loadModel } from '../../src/models/load.js';
import type { TensorReport } from '../../src/models/parity/difference.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { runParity } from '../../src/models/parity/run.js';
import { testGpu, testTiers } from '../support/gpu.js';

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));

/** Runs a fixture; the largest relative errors of outputs and of gradients. */
async function errors(
  model: string,
  kind: string,
  options: PassOptions & { dtype?: WeightDtype; tier?: Tier } = {},
) {
  const gpu = await testGpu(options.tier);
  const loaded = await loadModel(gpu, folder + model, { dtype: options.dtype ?? 'f32' });
  const fixture = await Fixture.open(`${folder}${model}.${kind}.safetensors`);
  try {
    const { tensors } = await runParity(loaded, fixture, options);
    const largest = (list: readonly TensorReport[]) =>
      Math.max(...list.map((t) => (t.maxAbs !== null && t.maxAbs <= 1e-6 ? 0 : (t.rel ?? Number.NaN))));
    const isGradient = (t: TensorReport) => t.name.startsWith('grad.');
    return {
      outputs: largest(tensors.filter((t) => !isGradient(t))),
      gradients: largest(tensors.filter(isGradient)),
      count: tensors.length,
    };
  } finally {
    await fixture.close();
    loaded.dispose();
  }
}

describe.each([
  ['qwen2-vl', 57],
  ['qwen2.5-vl', 69],
  ['qwen2', 26],
  ['llama', 21],
  ['qwen3-vl', 81],
  ['qwen3-vl-untied', 105],
  ['qwen3', 24],
  ['gemma3-text', 41],
  ['gemma3', 80],
  ['gemma3-untied', 76],
] as const)('%s', (model, parameters) => {
  it('has the loss and gradients of transformers', async () => {
    for (const tier of await testTiers()) {
      const found = await errors(model, 'sft', { tier });
      // All parameters, logits and loss.
      expect(found.count).toBe(parameters + 2);
      expect(found.outputs, tier).toBeLessThan(1e-4);
      expect(found.gradients, tier).toBeLessThan(1e-3);
    }
  });

  it('has the same gradients when it computes intermediates again', async () => {
    const found = await errors(model, 'sft', { recompute: true });
    expect(found.outputs).toBeLessThan(1e-4);
    expect(found.gradients).toBeLessThan(1e-3);
  });

  it('is close with weights in bf16 and f16', async () => {
    for (const dtype of ['bf16', 'f16'] as const) {
      expect((await errors(model, 'sft', { dtype })).outputs).toBeLessThan(2e-2);
    }
  });
});

it.each(['qwen2-vl', 'qwen2.5-vl', 'qwen2', 'qwen3-vl', 'gemma3'])(
  '%s has the logits with the other padding',
  async (model) => {
    expect((await errors(model, 'forward')).outputs).toBeLessThan(1e-4);
  },
);
