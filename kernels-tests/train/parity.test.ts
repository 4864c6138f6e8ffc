/** Five optimizer steps beside PyTorch's AdamW with clipping, decay and a schedule: all weights, masters, an adapter. */
import { afterEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/checkpoint.js';
import { toF32 } from '../../src/formats/dtypes.js';
import { adapterParameterName } from '../../src/models/core/lora/disk.js';
import type { Model } from '../../src/models/core/model.js';
import { train } from '../../src/train/loop.js';
import { originOf } from '../../src/train/origin.js';
import { loadPolicy } from '../../src/train/policy.js';
import { createRun } from '../../src/train/run-folder.js';
import { relativeError } from '../support/compare.js';
import { testGpu } from '../support/gpu.js';
import { FIXTURES, fixtureExamples, removeFolders, sftConfig, taskOn, temporary } from './support.js';

afterEach(removeFolders);

const STEPS = 5;

async function floats(file: Awaited<ReturnType<typeof openCheckpoint>>, name: string): Promise<Float32Array> {
  return toF32((await file.read(name)).slice(), 'F32');
}

async function trained(fixture: string, settings: Record<string, unknown>) {
  const gpu = await testGpu();
  const config = sftConfig({
    model_name_or_path: `${FIXTURES}models/${fixture.replace('.lora', '')}`,
    learning_rate: 1e-3,
    weight_decay: 0.1,
    max_grad_norm: 0.5,
    lr_scheduler_type: 'cosine',
    max_steps: 8,
    shuffle_dataset: false,
    ...settings,
  });
  const model = await loadPolicy(gpu, config);
  const task = taskOn(config, model.config, await fixtureExamples(fixture, model));
  const stop = new AbortController();
  const seen: { loss: number; grad_norm: number; learning_rate: number }[] = [];
  const folder = await createRun(await temporary(), true);
  const result = await train({
    gpu,
    model,
    config,
    task,
    folder,
    resumeStep: 0,
    files: {},
    origin: await originOf(config, []),
    signal: stop.signal,
    listeners: [
      {
        onStep: ({ step, metrics }) => {
          const { loss, grad_norm, learning_rate } = metrics;
          seen.push({ loss, grad_norm, learning_rate });
          if (step === STEPS) stop.abort();
        },
      },
    ],
  });
  expect(result.outcome).toBe('stopped');
  return { model, seen, checkpoint: result.checkpoint as string };
}

type Run = Awaited<ReturnType<typeof trained>>;

async function compare(
  name: string,
  { model, seen, checkpoint }: Run,
  exact: 'weights' | 'masters',
  limit: number,
) {
  const expected = await openCheckpoint(`${FIXTURES}train/${name}.safetensors`);
  const state = await openCheckpoint(`${checkpoint}/trainer-state/optimizer.safetensors`);
  try {
    for (const metric of ['loss', 'grad_norm', 'learning_rate'] as const) {
      const error = relativeError(
        Float32Array.from(seen, (s) => s[metric]),
        await floats(expected, metric),
      );
      expect([metric, error < 1e-4]).toEqual([metric, true]);
    }
    let compared = 0;
    for (const stored of expected.names().filter((n) => n.includes('.'))) {
      const own = adapterParameterName(model.config.names, stored);
      const values = await valuesOf(model, state, own as string, exact);
      const error = relativeError(values, await floats(expected, stored));
      expect([stored, error, error < limit]).toEqual([stored, error, true]);
      compared++;
    }
    return compared;
  } finally {
    await state.close();
    await expected.close();
    model.dispose();
  }
}

async function valuesOf(
  model: Model,
  state: Awaited<ReturnType<typeof openCheckpoint>>,
  name: string,
  exact: 'weights' | 'masters',
): Promise<Float32Array> {
  if (exact === 'masters' && state.has(`master.${name}`)) return floats(state, `master.${name}`);
  const tensor = model.findParameter(name);
  if (!tensor) throw new Error(`no parameter ${name}`);
  return tensor.data();
}

it('all weights in f32', async () => {
  const run = await trained('qwen2-vl', { per_device_train_batch_size: 2 });
  expect(await compare('full', run, 'weights', 1e-3)).toBeGreaterThan(30);
});

it('all weights in f32, the batch in two micro-batches', async () => {
  const run = await trained('qwen2-vl', { per_device_train_batch_size: 1, gradient_accumulation_steps: 2 });
  expect(await compare('full', run, 'weights', 1e-3)).toBeGreaterThan(30);
});

it('weights in bf16 with f32 masters', async () => {
  const run = await trained('qwen2.5-vl', { per_device_train_batch_size: 2, gradient_checkpointing: false });
  expect(run.model.embeddings.dtype).toBe('bf16');
  expect(await compare('masters', run, 'masters', 1e-3)).toBeGreaterThan(30);
});

it('a LoRA adapter', async () => {
  const run = await trained('qwen2.5-vl.lora', {
    use_peft: true,
    adapter_name_or_path: `${FIXTURES}models/qwen2.5-vl.lora`,
    dtype: 'float32',
  });
  expect(await compare('lora', run, 'weights', 1e-3)).toBe(20);
});
