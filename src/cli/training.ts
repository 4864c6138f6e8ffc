/** What the commands that train share: options, signals, progress. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import type { Argv } from 'yargs';
import type { Gpu } from '../gpu/index.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { readProblem } from '../platform/node/system-errors.js';
import type { ConfigSource, TrainingConfig } from '../train/config/index.js';
import type { TrainingResult } from '../train/events.js';
import { launchTraining, type TrainingOptions } from '../train/launch.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { openDevice } from './device.js';
import { writeOwnReport } from './own-report.js';
import { onStopSignal } from './signals.js';
import { printJson, tell, trainingConsole } from './terminal.js';

/** Options of `sft` and `grpo`. */
export interface TrainingArgs extends CommonArgs {
  readonly config: string;
  readonly set: readonly string[];
  readonly resume: boolean;
  readonly tier?: string;
}

/** Adds them. */
export function trainingOptions<T>(yargs: Argv<T>): Argv<T & TrainingArgs> {
  return commonOptions(yargs)
    .option('config', {
      type: 'string',
      demandOption: true,
      describe: 'YAML file with the settings of the run',
    })
    .option('set', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Another value for a setting, such as learning_rate=1e-5; may be repeated',
    })
    .option('resume', {
      type: 'boolean',
      default: false,
      describe: 'Go on from the last checkpoint in output_dir, as if nothing had happened',
    })
    .option('tier', { type: 'string', describe: 'Feature tier of the kernels; the best by default' }) as Argv<
    T & TrainingArgs
  >;
}

/** Reads the file of `--config`. */
export async function configSource(args: TrainingArgs): Promise<ConfigSource> {
  let text: string;
  try {
    text = await readFile(args.config, 'utf8');
  } catch (error) {
    throw new UsageError(`--config ${args.config} ${readProblem(error)}`);
  }
  return { file: args.config, text, set: args.set };
}

/** Runs a checked config on the best device; the first Ctrl-C, SIGTERM or SIGHUP saves and stops, a second ends at once. */
export async function runTraining<Config extends TrainingConfig>(
  args: TrainingArgs,
  config: Config,
  makeTask: TrainingOptions<Config>['makeTask'],
): Promise<TrainingResult> {
  await ensureDriver();
  const gpu = await openDevice({ tier: args.tier });
  const stop = stopOnSignals();
  try {
    const deviceBytes = deviceMemory(gpu);
    const result = await launchTraining({
      gpu,
      config,
      resume: args.resume,
      makeTask,
      signal: stop.signal,
      console: trainingConsole,
      ...(deviceBytes === undefined ? {} : { deviceBytes }),
    });
    await writeOwnReport(config.output_dir);
    if (result.checkpoint) tell(evaluateHint(config, result.checkpoint));
    if (args.json) printJson(result);
    if (result.outcome === 'stopped') process.exitCode = 1;
    return result;
  } finally {
    stop.release();
    await gpu.destroy();
  }
}

/** What to do with the last checkpoint: the end of what a user sees. */
export function evaluateHint(config: TrainingConfig, checkpoint: string): string {
  const model = config.use_peft
    ? `--model ${config.model_name_or_path} --adapter ${checkpoint}`
    : `--model ${checkpoint}`;
  return `last checkpoint: ${checkpoint}; to measure it: osler eval ${model} --data FILE`;
}

function stopOnSignals(): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const { release } = onStopSignal((name) => {
    tell(`${name}: saving a checkpoint; once more to end at once`);
    controller.abort();
  });
  return { signal: controller.signal, release };
}

/** WebGPU does not tell how much memory there is; a software adapter uses that of the machine, or of its container. */
export function deviceMemory(gpu: Gpu): number | undefined {
  if (!gpu.info.software) return undefined;
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
}
