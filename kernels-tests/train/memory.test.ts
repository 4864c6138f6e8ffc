/** The memory plan beside what runs hold. */
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/index.js';
import { initModel, type ModelConfig, parseConfig, patchValues } from '../../src/models/index.js';
import { PUBLISHED } from '../../src/models/init/init.js';
import type { PromptEncoder } from '../../src/models/processor/index.js';
import { openGpu } from '../../src/platform/launcher/open.js';
import type { Example } from '../../src/sft/examples.js';
import { train } from '../../src/train/loop.js';
import { checkPlan, planMemory } from '../../src/train/memory/index.js';
import { originOf } from '../../src/train/origin.js';
import { loadPolicy } from '../../src/train/policy.js';
import { createRun } from '../../src/train/run-folder.js';
import { configOf, removeFolders, sftConfig, taskOn, temporary } from './support.js';

afterEach(removeFolders);

/** Devices of our own, so that nobody else's buffers count; one with the kernels of GPUs and one with the CPU's. */
const devices = new Map<boolean, Promise<Gpu>>();
const kernelsOf = (software: boolean) => async (): Promise<Gpu> => {
  const gpu = devices.get(software) ?? openGpu({ software });
  devices.set(software, gpu);
  return gpu;
};
const [gpuKernels, cpuKernels] = [kernelsOf(false), kernelsOf(true)];
afterAll(async () => {
  for (const gpu of devices.values()) await (await gpu).destroy();
});

/**
 * Two equally long examples, with an image each where the model can see. Small ones for the kernels of GPUs: software takes
 * minutes for their matrix units.
 */
function examplesFor(
  { tokens, vision }: ModelConfig,
  { software }: Gpu['info'],
): { examples: Example[]; encoder: PromptEncoder } {
  const [tall, broad, count] = software ? [16, 20, 300] : [8, 8, 75];
  const { exactSize } = vision?.pictures ?? { exactSize: null };
  const side = (pixels: number | undefined, free: number) => (pixels ? pixels / vision!.patchSize : free);
  const [height, width] = [side(exactSize?.height, tall), side(exactSize?.width, broad)];
  const grids = vision ? [[1, height, width] as const] : [];
  const image = vision
    ? [
        tokens.visionStart,
        ...Array<number>((height * width) / vision.mergeSize ** 2).fill(tokens.image as number),
        tokens.visionEnd,
      ]
    : [];
  const examples = [0, 1].map((k): Example => {
    const words = Array.from({ length: count }, (_, i) => 20 + ((i * 7 + k) % 230));
    const ids = Int32Array.from([...(image as number[]), ...words]);
    const mask = Uint8Array.from(ids, (_, i) => (i >= ids.length - count / 3 ? 1 : 0));
    return { ids, mask, pictures: [], grids };
  });
  const patches: PromptEncoder['patches'] = async () =>
    vision ? { pixels: new Float32Array(height * width * patchValues(vision)).fill(0.1), grids } : null;
  return { examples, encoder: { patches } as PromptEncoder };
}

const LORA = { use_peft: true, lora_dropout: 0.1, gradient_accumulation_steps: 2 };
const CASES: [string, Record<string, unknown>, () => Promise<Gpu>][] = [
  ['tiny-qwen2-vl', { gradient_checkpointing: false }, cpuKernels],
  ['tiny-qwen2-vl', LORA, cpuKernels],
  ['tiny-qwen2.5-vl', { gradient_checkpointing: true, dtype: 'bfloat16' }, gpuKernels],
  ['tiny-qwen2.5-vl', { ...LORA, freeze_vision_tower: false, gradient_checkpointing: true }, cpuKernels],
  ['tiny-qwen2', { gradient_checkpointing: true }, gpuKernels],
  ['tiny-qwen3-vl', { gradient_checkpointing: true }, cpuKernels],
  ['tiny-gemma3', { gradient_checkpointing: true }, cpuKernels],
  ['tiny-qwen2-vl', { optim: 'adamw_8bit', gradient_dtype: 'bfloat16' }, cpuKernels],
  [
    'tiny-qwen2.5-vl',
    { optim: 'adamw_bf16', dtype: 'bfloat16', optimizer_in_backward: true, max_grad_norm: 0 },
    cpuKernels,
  ],
];

it.each(CASES)('%s %j: within a twentieth of the peak', async (arch, settings, device) => {
  const gpu = await device();
  const dir = await temporary();
  await initModel(join(dir, 'model'), { arch, seed: 0 });
  const config = sftConfig({
    model_name_or_path: join(dir, 'model'),
    per_device_train_batch_size: 2,
    max_steps: 2,
    ...settings,
  });
  const modelConfig = await configOf(config.model_name_or_path);
  const task = taskOn(config, modelConfig, examplesFor(modelConfig, gpu.info));
  const plan = planMemory(config, modelConfig, task.workload(), gpu);
  const model = await loadPolicy(gpu, config);
  const folder = await createRun(join(dir, 'run'), false);
  const origin = await originOf(config, []);
  const result = await train({ gpu, model, config, task, folder, resumeStep: 0, files: {}, origin });
  const peak = result.metrics['memory/peak_bytes'];
  expect(Math.abs(plan.peak / peak - 1), `planned ${plan.peak}, measured ${peak}`).toBeLessThan(0.05);
  model.dispose();
  expect(gpu.memory().liveTotal).toBe(0);
});

it('counts the gradient that the optimizer widens while it holds them all', () => {
  const config = sftConfig({ optim: 'adamw_bf16', dtype: 'bfloat16', gradient_dtype: 'bfloat16' });
  const model = parseConfig(PUBLISHED['qwen2-vl-2b'], '2b');
  const plan = planMemory(config, model, { tokens: 100, patches: 64, targets: 50, lower: [] });
  const { weights, optimizer, gradients } = plan;
  expect(plan.peak).toBeGreaterThanOrEqual(weights + optimizer + gradients + 0.9 * plan.largest.bytes);
});

it('refuses buffers that the adapter cannot make, and names the setting', async () => {
  const dir = await temporary();
  await initModel(dir, { arch: 'tiny-qwen2', seed: 0 });
  const config = sftConfig({ model_name_or_path: dir });
  const plan = planMemory(config, await configOf(dir), { tokens: 10, patches: 0, targets: 5, lower: [] });
  expect(() => checkPlan(plan, { largestBuffer: plan.largest.bytes })).not.toThrow();
  expect(() => checkPlan(plan, { largestBuffer: plan.largest.bytes - 1 })).toThrow(
    /optimizer state of model\..*\.weight takes .*; set use_peft: true or freeze/,
  );
});
