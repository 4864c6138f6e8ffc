/** The loss and gradients of a step: beside transformers, and however the examples fall into micro-batches. */
import { afterEach, describe, expect, it } from 'vitest';
import { noGrad } from '../../src/autograd/index.js';
import { openCheckpoint } from '../../src/formats/checkpoint.js';
import { toF32 } from '../../src/formats/dtypes.js';
import type { Model, WeightNames } from '../../src/models/index.js';
import { makeBatch, packExamples } from '../../src/sft/batch.js';
import type { Example } from '../../src/sft/examples.js';
import { SftTask } from '../../src/sft/index.js';
import { scope } from '../../src/tensor/index.js';
import { loadPolicy } from '../../src/train/policy.js';
import type { StepContext, StepResult } from '../../src/train/task.js';
import { relativeError } from '../support/compare.js';
import { testGpu } from '../support/gpu.js';
import { FIXTURES, fixtureExamples, removeFolders, sftConfig, taskOn } from '../train/support.js';

afterEach(removeFolders);

const context: StepContext = {
  step: 1,
  signal: new AbortController().signal,
  phase: async (_, body) => body(),
  record: () => {},
  microBatch: () => ({ seed: 0, step: 1 }),
};

interface Step {
  readonly result: StepResult;
  readonly gradients: Map<string, Float32Array>;
  readonly names: WeightNames;
}

/** Takes a fixture's examples (or some change of them) through one step and reads the gradients. */
async function step(
  fixture: string,
  settings: Record<string, unknown>,
  change: (examples: Example[]) => Example[] = (same) => same,
): Promise<Step> {
  const model = await policy(fixture);
  try {
    const { examples, encoder } = await fixtureExamples(fixture, model);
    const config = sftConfig({ shuffle_dataset: false, max_length: 4096, ...settings });
    const task = taskOn(config, model.config, { examples: change(examples), encoder });
    await task.prepare({ model } as Parameters<typeof task.prepare>[0]);
    const result = await scope(() => task.step(context));
    const gradients = new Map<string, Float32Array>();
    for (const [name, tensor] of model.namedParameters()) {
      if (tensor.grad) gradients.set(name, await tensor.grad.data());
    }
    task.close();
    return { result, gradients, names: model.config.names };
  } finally {
    model.dispose();
  }
}

async function policy(fixture: string): Promise<Model> {
  return loadPolicy(
    await testGpu(),
    sftConfig({ model_name_or_path: `${FIXTURES}models/${fixture}`, dtype: 'float32' }),
  );
}

describe.each(['qwen2-vl', 'qwen2.5-vl', 'qwen2', 'qwen3-vl', 'gemma3'])('%s', (fixture) => {
  it.each([
    ['in one micro-batch', { per_device_train_batch_size: 2 }],
    [
      'in two',
      { per_device_train_batch_size: 1, gradient_accumulation_steps: 2, gradient_checkpointing: false },
    ],
    ['packed into a row', { packing: true, per_device_train_batch_size: 1 }],
  ])('the loss and all gradients equal those of transformers, %s', async (_, settings) => {
    const { result, gradients, names } = await step(fixture, settings);
    const expected = await openCheckpoint(`${FIXTURES}models/${fixture}.sft.safetensors`);
    try {
      const read = async (name: string) => toF32((await expected.read(name)).slice(), 'F32');
      expect(result.metrics.loss).toBeCloseTo((await read('loss'))[0], 4);
      const wanted = expected.names().filter((name) => name.startsWith('grad.'));
      expect(wanted.length).toBeGreaterThan(20);
      for (const name of wanted) {
        const own = gradients.get(names.canonical(name.slice('grad.'.length)) as string);
        const reference = await read(name);
        const error = relativeError(own ?? new Float32Array(reference.length), reference);
        // Keys' biases have gradients that vanish in exact arithmetic.
        const largest = reference.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        expect([name, error, error < 1e-3 || largest < 1e-6]).toEqual([name, error, true]);
      }
    } finally {
      await expected.close();
    }
  });
});

it('what stands beside an example in its row does not change it', async () => {
  const model = await policy('qwen2-vl');
  try {
    const { examples, encoder } = await fixtureExamples('qwen2-vl', model);
    const [a, b] = examples;
    // The same length and the same image, other words.
    const other = { ...a, ids: a.ids.map((id) => (id < 70 ? (id + 13) % 70 : id)) };
    const hidden = async (list: readonly Example[]) => {
      const { packed, images: patches } = await makeBatch(model.config, encoder, list);
      const device = model.prepare(packed);
      const images = model.encodeParts(patches);
      const states = noGrad(() => model.hidden(device, images.features));
      const data = await states.data();
      for (const held of [states, images, device]) held.dispose();
      return data.subarray(data.length - b.ids.length * model.config.text.hiddenSize);
    };
    const beside = await hidden([a, b]);
    expect(await hidden([other, b])).toEqual(beside);
    expect(relativeError(await hidden([b]), beside)).toBeLessThan(1e-6);
  } finally {
    model.dispose();
  }
});

it('counts every token once, whatever the lengths of the micro-batches', async () => {
  const short = (examples: Example[]) => [
    examples[0],
    { ...examples[1], mask: examples[1].mask.map((m, i) => (i > 20 ? 0 : m)) },
  ];
  const one = await step('qwen2', { per_device_train_batch_size: 2 }, short);
  const two = await step('qwen2', { per_device_train_batch_size: 1, gradient_accumulation_steps: 2 }, short);
  expect(two.result.metrics.loss).toBeCloseTo(one.result.metrics.loss, 5);
  expect(one.gradients.size).toBeGreaterThan(20);
  for (const [name, gradient] of one.gradients) {
    expect([name, relativeError(two.gradients.get(name) as Float32Array, gradient) < 1e-4]).toEqual([
      name,
      true,
    ]);
  }
});

it('dft weighs each token by its probability, without learning from the weight', async () => {
  // A single target per example: its gradient is that of nll times its probability.
  const single = (examples: Example[]) => [
    { ...examples[0], mask: examples[0].mask.map((_, i) => Number(i === 20)) },
  ];
  const settings = { per_device_train_batch_size: 1 };
  const nll = await step('qwen2', settings, single);
  const dft = await step('qwen2', { ...settings, loss_type: 'dft' }, single);
  const probability = Math.exp(-nll.result.metrics.loss);
  expect(dft.result.metrics.loss).toBeCloseTo(nll.result.metrics.loss * probability, 6);
  for (const [name, gradient] of nll.gradients) {
    const scaled = gradient.map((value) => value * probability);
    const error = relativeError(dft.gradients.get(name) as Float32Array, scaled);
    expect([name, error < 1e-4]).toEqual([name, true]);
  }
});

it('mean_token_accuracy is the share of targets that an argmax over all logits names', async () => {
  const model = await policy('qwen2');
  try {
    const { examples, encoder } = await fixtureExamples('qwen2', model);
    // What the model predicts last becomes the last word of the first example: nothing before it can change.
    const expected = await argmaxes(model, [examples[0]]);
    const ids = examples[0].ids.slice();
    ids[ids.length - 1] = expected[expected.length - 1];
    const mask = examples[0].mask.map((m, i) => (i === ids.length - 1 ? 1 : m));
    const changed = [{ ...examples[0], ids, mask }, ...examples.slice(1)];
    const { targets } = packExamples(model.config, changed);
    const best = await argmaxes(model, changed);
    const share = targets.filter((id, i) => id === best[i]).length / targets.length;
    expect(share > 0 && share < 1).toBe(true);
    const { result } = await step('qwen2', { per_device_train_batch_size: 2 }, () => changed);
    expect(result.metrics.mean_token_accuracy).toBeCloseTo(share, 6);
    const config = sftConfig({ max_length: 4096, per_device_eval_batch_size: 1 });
    const task = new SftTask({ config, model: model.config, encoder, note: () => {} }, changed, changed);
    await task.prepare({ model } as Parameters<typeof task.prepare>[0]);
    expect((await task.evaluate(context)).mean_token_accuracy).toBeCloseTo(share, 6);
    task.close();
  } finally {
    model.dispose();
  }
});

/** The most likely token at each place that counts, from logits on the host in float64. */
async function argmaxes(model: Model, examples: readonly Example[]): Promise<number[]> {
  const { packed, rows } = packExamples(model.config, examples);
  const device = model.prepare(packed);
  const states = noGrad(() => model.hidden(device, null));
  const [hidden, head] = [await states.data(), await model.head.data()];
  for (const held of [states, device]) held.dispose();
  const width = model.config.text.hiddenSize;
  return Array.from(rows, (row) => {
    const logits = Array.from({ length: head.length / width }, (_, v) => {
      let dot = 0;
      for (let d = 0; d < width; d++) dot += hidden[row * width + d] * head[v * width + d];
      return dot;
    });
    return logits.indexOf(Math.max(...logits));
  });
}
