/** From a checked config to a finished run. */
import { stringify } from 'yaml';
import type { Gpu } from '../gpu/index.js';
import { type Choices, tunerFor } from '../kernels/tuner.js';
import { FeatureCache } from '../models/core/features.js';
import type { Processor } from '../models/processor/index.js';
import { FileError } from '../platform/errors.js';
import { folderReader, join } from '../platform/files.js';
import { configError, defaultOf, FREE_FIELDS, parseYamlFile, type TrainingConfig } from './config/index.js';
import type { TrainingListener, TrainingResult } from './events.js';
import { train } from './loop.js';
import { originOf } from './origin.js';
import { featureCacheOptions, loadPolicy } from './policy.js';
import { type PrepareOptions, prepareTask } from './preparation.js';
import { Progress } from './progress.js';
import { ProgressFile } from './progress-file.js';
import {
  CONFIG_FILE,
  createRun,
  KERNELS_FILE,
  type Resumed,
  type RunFolder,
  resumeRun,
} from './run-folder.js';
import type { TrainingTask } from './task.js';
import { TensorBoard } from './tensorboard/index.js';
import { WandbOffline } from './wandb/index.js';

/** Options of {@link launchTraining}. */
export interface TrainingOptions<Config extends TrainingConfig> extends PrepareOptions<Config> {
  /** Go on with the run in `output_dir`. */
  readonly resume: boolean;
  readonly listeners?: readonly TrainingListener[];
  readonly signal?: AbortSignal;
}

/** Runs a config. */
export async function launchTraining<Config extends TrainingConfig>(
  options: TrainingOptions<Config>,
): Promise<TrainingResult> {
  const { task, processor, note, explained } = await prepareTask(options);
  const { folder, step } = await openFolder(options, task, note);
  try {
    return await explained(() => runIn(options, { folder, step, task, processor, note }));
  } finally {
    await folder.close();
  }
}

interface Prepared extends Resumed {
  readonly task: TrainingTask;
  readonly processor: Processor;
  note(line: string): void;
}

async function runIn<Config extends TrainingConfig>(
  { gpu, config, resume, console, listeners = [], signal }: TrainingOptions<Config>,
  { folder, step, task, processor, note }: Prepared,
): Promise<TrainingResult> {
  await folder.write(CONFIG_FILE, stringify(config));
  await pinKernels({ gpu, config, folder, resume, note });
  // Weights take a while to read through; the first checkpoint waits for it, and nothing else.
  const origin = originOf(config, task.inputs ?? []);
  origin.catch(() => {});
  const checkpoint = step > 0 ? { checkpoint: folder.checkpoint(step) } : {};
  const model = await loadPolicy(gpu, config, checkpoint);
  model.features = model.vision && new FeatureCache(featureCacheOptions(config));
  try {
    for (const warning of model.warnings) note(`warning: ${warning}`);
    return await train({
      gpu,
      model,
      config,
      task,
      folder,
      resumeStep: step,
      files: processor.files,
      origin,
      listeners: [
        new Progress(console, config.logging_steps),
        new ProgressFile(folder.path),
        ...(config.report_to.includes('tensorboard') ? [new TensorBoard(folder.path)] : []),
        ...(config.report_to.includes('wandb')
          ? [new WandbOffline({ runDir: folder.path, name: config.run_name })]
          : []),
        ...listeners,
      ],
      ...(signal ? { signal } : {}),
    });
  } finally {
    model.features?.dispose();
    model.dispose();
  }
}

async function openFolder<Config extends TrainingConfig>(
  options: TrainingOptions<Config>,
  task: TrainingTask,
  note: (line: string) => void,
): Promise<Resumed> {
  const { config, resume } = options;
  if (!resume) return { folder: await createRun(config.output_dir, config.overwrite_output_dir), step: 0 };
  const bytes = await folderReader(config.output_dir)(CONFIG_FILE);
  if (bytes) {
    const file = `${config.output_dir}/${CONFIG_FILE}`;
    const earlier = parseYamlFile(file, new TextDecoder().decode(bytes));
    checkUnchanged(config, task.earlierConfig?.(earlier) ?? earlier);
  }
  return resumeRun(config.output_dir, note);
}

interface PinOptions {
  readonly gpu: Gpu;
  readonly config: TrainingConfig;
  readonly folder: RunFolder;
  readonly resume: boolean;
  note(line: string): void;
}

/**
 * Settles which variants of the kernels the run uses: measured on the shapes of its largest step, which the memory plan has
 * gone through. A resumed run takes those of the interrupted one.
 */
async function pinKernels({ gpu, config, folder, resume, note }: PinOptions): Promise<void> {
  const tuner = tunerFor(gpu);
  const bytes = resume ? await folderReader(folder.path)(KERNELS_FILE) : undefined;
  const recorded = bytes && parseChoices(bytes, join(folder.path, KERNELS_FILE));
  // What software drivers are best at is known.
  if (!resume && (config.tune_kernels ?? !gpu.info.software) && tuner.pending > 0) {
    const [start, shapes] = [performance.now(), tuner.pending];
    await tuner.tune();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    note(`kernels: ${shapes} shapes of products measured in ${seconds} s`);
  }
  await folder.write(KERNELS_FILE, `${JSON.stringify(tuner.pin(recorded), null, 2)}\n`);
}

function parseChoices(bytes: Uint8Array, file: string): Choices {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Choices;
  } catch {
    // Said below.
  }
  throw new FileError(
    file,
    'is damaged; without the choices in it the run would round otherwise, so restore it from a copy',
  );
}

/** A resumed run must compute what the interrupted one would have. */
function checkUnchanged(config: TrainingConfig, earlier: Readonly<Record<string, unknown>>): void {
  for (const [field, value] of Object.entries(config)) {
    // What an earlier version did not ask for, it did as the default does.
    const before = Object.hasOwn(earlier, field) ? earlier[field] : defaultOf(field);
    if (FREE_FIELDS.has(field) || stringify(value) === stringify(before)) continue;
    throw configError(
      `the config's "${field}"`,
      `is ${JSON.stringify(value)}, but the run in ${config.output_dir} has ${JSON.stringify(before)}; resume with the same value, or start a new run`,
    );
  }
}
