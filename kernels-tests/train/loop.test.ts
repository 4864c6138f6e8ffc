/** The loop's promises to tasks: weights and state of their own, records, steps that are not finite. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { affine, backward, mul, sum } from '../../src/autograd/index.js';
import type { Gpu } from '../../src/gpu/index.js';
import { Parameters } from '../../src/nn/parameters.js';
import { type Tensor, tensor, zeros } from '../../src/tensor/index.js';
import type { TrainingListener, TrainingResult } from '../../src/train/events.js';
import { train } from '../../src/train/loop.js';
import { TrainingFailure } from '../../src/train/non-finite.js';
import { originOf } from '../../src/train/origin.js';
import { loadPolicy } from '../../src/train/policy.js';
import { createRun, resumeRun } from '../../src/train/run-folder.js';
import type {
  EvaluationContext,
  Metrics,
  SavedTaskState,
  StepContext,
  StepResult,
  TaskState,
  TrainingSession,
  TrainingTask,
} from '../../src/train/task.js';
import { testGpu } from '../support/gpu.js';
import { FIXTURES, removeFolders, sftConfig, temporary } from './support.js';

let gpu: Gpu;
let run: string;
beforeEach(async () => {
  gpu = await testGpu();
  run = join(await temporary(), 'run');
});
afterEach(removeFolders);

/** Learns a vector beside the model, with a buffer that is filled at odd steps and used twice, as a rollout is. */
class VectorTask implements TrainingTask {
  readonly name = 'vector';
  readonly stepsPerEpoch = 4;
  readonly extraParameters = new Parameters();
  /** Steps whose gradient is infinite. */
  readonly broken: ReadonlySet<number>;
  readonly evaluations: number[] = [];
  #buffer = new Int32Array();
  #average: Tensor | null = null;
  #gpu: Gpu | null = null;

  constructor(broken: readonly number[] = []) {
    this.broken = new Set(broken);
  }

  workload() {
    return { tokens: 1, patches: 0, targets: 1, lower: [] };
  }

  async prepare({ gpu: device }: TrainingSession): Promise<void> {
    this.#gpu = device;
    this.extraParameters.set('value', tensor(device, [1, 2, 3, 4]).requireGrad());
    this.#average = zeros(device, [4]).keep();
  }

  get value(): Tensor {
    return this.extraParameters.get('value');
  }

  async step(context: StepContext): Promise<StepResult> {
    if (context.step % 2 === 1) {
      const fill = () => Int32Array.from({ length: 4 }, (_, i) => (context.step * 7 + i * 3) % 5);
      this.#buffer = await context.phase('rollout', fill);
    }
    context.microBatch(0);
    const target = tensor(this.#gpu as Gpu, Float32Array.from(this.#buffer));
    const scale = this.broken.has(context.step) ? Number.MAX_VALUE : 1;
    const loss = affine(sum(mul(this.value, target)), Math.fround(scale));
    backward(loss);
    context.record('completions', [{ buffer: [...this.#buffer] }, { last: true }]);
    return { metrics: { loss: await loss.item() }, tokens: 10 };
  }

  async afterUpdate(): Promise<void> {
    const average = this.#average as Tensor;
    const values = await average.data();
    const now = await this.value.data();
    average.write(values.map((x, i) => 0.5 * x + 0.5 * now[i]));
  }

  async evaluate(context: EvaluationContext): Promise<Metrics> {
    this.evaluations.push(context.step);
    return { average: (await (this.#average as Tensor).data())[0] };
  }

  state(): TaskState {
    return {
      json: { filled: this.#buffer.length },
      tensors: {
        buffer: { shape: [this.#buffer.length], data: this.#buffer },
        average: this.#average as Tensor,
      },
    };
  }

  async restore(saved: SavedTaskState): Promise<void> {
    expect(saved.names().sort()).toEqual(['average', 'buffer']);
    this.#buffer = (await saved.read('buffer')).data as Int32Array<ArrayBuffer>;
    expect(saved.json).toEqual({ filled: this.#buffer.length });
    await saved.fill('average', this.#average as Tensor);
  }

  close(): void {
    this.extraParameters.dispose();
    this.#average?.dispose();
  }
}

async function go(
  task: VectorTask,
  settings: Record<string, unknown> = {},
  options: { resume?: boolean; stopAfter?: number } = {},
): Promise<TrainingResult & { value: number[] }> {
  const config = sftConfig({
    model_name_or_path: `${FIXTURES}models/qwen2`,
    learning_rate: 0.1,
    learning_rates: { extra: 0.01 },
    max_grad_norm: 0,
    max_steps: 6,
    save_strategy: 'no',
    ...settings,
  });
  if (!options.resume) await rm(run, { recursive: true, force: true });
  const { folder, step } = options.resume
    ? await resumeRun(run, () => {})
    : { folder: await createRun(run, false), step: 0 };
  const checkpoint = step > 0 ? { checkpoint: folder.checkpoint(step) } : {};
  const model = await loadPolicy(gpu, config, checkpoint);
  const stop = new AbortController();
  let value: number[] = [];
  const watch: TrainingListener = {
    onStep: async (event) => {
      value = [...(await task.value.data())];
      if (event.step === options.stopAfter) stop.abort();
    },
  };
  try {
    const files = {};
    const result = await train({
      gpu,
      model,
      config,
      task,
      folder,
      resumeStep: step,
      files,
      origin: await originOf(config, []),
      listeners: [watch],
      signal: stop.signal,
    });
    return { ...result, value };
  } finally {
    model.dispose();
  }
}

async function log(name: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(run, `${name}.jsonl`), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('saves and restores what a task has of its own: weights, arrays, records', async () => {
  const whole = await go(new VectorTask());
  const [records, metrics] = [await log('completions'), await log('metrics')];
  expect(records).toHaveLength(12);
  expect(records[4]).toEqual({ step: 3, buffer: [1, 4, 2, 0] });
  await go(new VectorTask(), {}, { stopAfter: 3 });
  const rest = await go(new VectorTask(), {}, { resume: true });
  expect(rest.value).toEqual(whole.value);
  expect(await log('completions')).toEqual(records);
  const computed = (list: Record<string, unknown>[]) =>
    list.map(({ step, loss, grad_norm, num_tokens }) => [step, loss, grad_norm, num_tokens]);
  expect(computed(await log('metrics'))).toEqual(computed(metrics));
});

it('trains what a task adds at the rate of its own, and logs times by phase', async () => {
  const { metrics, value } = await go(new VectorTask(), { max_steps: 1 });
  // Adam's first step is the rate, in the direction of the gradient's sign; the buffer is [2, 0, 3, 1].
  [1 - 0.01, 2, 3 - 0.01, 4 - 0.01].forEach((expected, i) => {
    expect(value[i]).toBeCloseTo(expected, 5);
  });
  expect(metrics.learning_rate).toBe(0.1);
  expect(metrics).toMatchObject({ epoch: 0.25, num_tokens: 10, nonfinite_steps: 0 });
  for (const phase of ['time/rollout', 'time/update', 'step_time']) expect(metrics[phase]).toBeGreaterThan(0);
});

it('evaluates when it is due, and at the start', async () => {
  const task = new VectorTask();
  const settings = { eval_strategy: 'steps', eval_steps: 3, eval_on_start: true, eval_fraction: 0.5 };
  await go(task, settings);
  expect(task.evaluations).toEqual([0, 3, 6]);
  const metrics = await log('metrics');
  expect(metrics.map(({ step, 'eval/average': average }) => [step, typeof average])).toEqual([
    [0, 'number'],
    [1, 'undefined'],
    [2, 'undefined'],
    [3, 'number'],
    [4, 'undefined'],
    [5, 'undefined'],
    [6, 'number'],
  ]);
});

it('ends early where evaluations get no better, and names the best checkpoint', async () => {
  const settings = {
    eval_strategy: 'steps',
    eval_steps: 1,
    eval_fraction: 0.5,
    metric_for_best_model: 'average',
  };
  const early = { early_stopping_patience: 2, early_stopping_threshold: 1e9, load_best_model_at_end: true };
  const result = await go(new VectorTask(), { ...settings, ...early });
  expect(result).toMatchObject({ outcome: 'finished', step: 3, totalSteps: 6 });
  expect(result.checkpoint).toMatch(new RegExp(`step-00000${result.best?.step}$`));
  // Nothing is left to do.
  const again = await go(new VectorTask(), { ...settings, ...early }, { resume: true });
  expect(again.step).toBe(3);
});

it('skips and counts steps whose gradient is not finite', async () => {
  const { metrics, value } = await go(new VectorTask([2, 3]), { max_nonfinite_steps: 3, max_steps: 4 });
  expect(metrics.nonfinite_steps).toBe(2);
  expect(value.every(Number.isFinite)).toBe(true);
  expect((await log('metrics')).map(({ grad_norm }) => Number.isFinite(grad_norm))).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

it('ends a run with too many of them in a row, and says what is wrong', async () => {
  const failure = go(new VectorTask([3, 4]), {
    max_nonfinite_steps: 2,
    save_strategy: 'steps',
    save_steps: 2,
  });
  await expect(failure).rejects.toThrow(TrainingFailure);
  await expect(failure).rejects.toThrow(
    /^2 steps in a row were skipped, the last one step 4: the gradient of extra\.value is not finite .*last checkpoint is intact/,
  );
  const { folder } = await resumeRun(run, () => {});
  expect(await folder.checkpoints()).toEqual([2]);
  await folder.close();
});
