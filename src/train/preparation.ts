/** What a run begins with, and a check of its first step too: all that can be refused is refused before the weights load. */
import { type Gpu, OslerError } from '../gpu/index.js';
import { loadConfig, type ModelConfig } from '../models/index.js';
import { loadProcessor, type Processor, PromptEncoder } from '../models/processor/index.js';
import type { AdapterMemory } from '../platform/cards.js';
import { checkTrainingConfig, type TrainingConfig } from './config/index.js';
import {
  checkPlan,
  explainShortage,
  type FindFits,
  gib,
  type MemoryPlan,
  memoryText,
  planMemory,
  planText,
  settingsThatFit,
  usable,
} from './memory/index.js';
import type { Console } from './progress.js';
import type { TrainingTask } from './task.js';

/** What a task is made from. */
export interface TaskSetting<Config extends TrainingConfig> {
  readonly config: Config;
  readonly model: ModelConfig;
  readonly encoder: PromptEncoder;
  /** Shows the user one line. */
  note(line: string): void;
}

/** What is prepared. */
export interface PrepareOptions<Config extends TrainingConfig> {
  readonly gpu: Gpu;
  readonly config: Config;
  /** Reads the data and makes the task; throws on whatever the data and the config forbid. */
  makeTask(setting: TaskSetting<Config>): Promise<TrainingTask>;
  readonly console: Console;
  /** Memory of the device, where known; the config's `device_memory_gib` wins. */
  readonly deviceMemory?: AdapterMemory | undefined;
}

/** A run that may begin. */
export interface Preparation {
  readonly task: TrainingTask;
  readonly processor: Processor;
  readonly plan: MemoryPlan;
  note(line: string): void;
  /** Runs `body`; memory that the device turns out not to have is told with what was planned. */
  explained<T>(body: () => Promise<T>): Promise<T>;
}

/** Makes the task and its memory plan; refuses what cannot work. */
export async function prepareTask<Config extends TrainingConfig>(
  options: PrepareOptions<Config>,
): Promise<Preparation> {
  const { gpu, config, console } = options;
  checkTrainingConfig(config);
  const note = (line: string) => console.write(`${line}\n`);
  const model = await loadConfig(config.model_name_or_path, 'model_name_or_path');
  const processor = await loadProcessor(config.model_name_or_path, model, {
    minPixels: config.min_pixels,
    maxPixels: config.max_pixels,
    chatTemplate: config.chat_template_path,
  });
  const encoder = new PromptEncoder(model, processor);
  const task = await options.makeTask({ config, model, encoder, note });
  const plan = planMemory(config, model, task.workload(), gpu);
  const memory = deviceMemory(options);
  const there = memory ? `, and the device has ${memoryText(memory)}` : '';
  note(`memory plan: about ${gib(plan.peak)} at the peak (${planText(plan)})${there}`);
  const problem = { config, model, workload: task.workload.bind(task), device: gpu };
  const findFits: FindFits = (bytes) => settingsThatFit(problem, bytes);
  checkPlan(plan, { memory, largestBuffer: gpu.limits.maxBufferSize }, findFits);
  // Drivers need some for themselves.
  if (memory) gpu.keepWithin(0.95 * usable(memory));
  return { task, processor, plan, note, explained: (body) => explained(gpu, plan, findFits, body) };
}

function deviceMemory<Config extends TrainingConfig>({
  config: { device_memory_gib: gibibytes },
  deviceMemory: found,
}: PrepareOptions<Config>): AdapterMemory | undefined {
  return gibibytes === null ? found : { bytes: gibibytes * 2 ** 30, free: null, source: 'device_memory_gib' };
}

async function explained<T>(
  gpu: Gpu,
  plan: MemoryPlan,
  findFits: FindFits,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof OslerError) || error.code !== 'out-of-memory') throw error;
    throw explainShortage(error, plan, gpu.memory().peakTotal, findFits);
  }
}
