/** What the commands that train share: options, signals, progress. */
import { readFile } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { ensureDriver } from '../platform/launcher/launch.js';
import { readProblem } from '../platform/node/system-errors.js';
import type { ConfigSource, TrainingConfig } from '../train/config/index.js';
import type { TrainingResult } from '../train/events.js';
import { checkFirstStep, type FirstStep, type FirstStepOptions } from '../train/first-step.js';
import { launchTraining, type TrainingOptions } from '../train/launch.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { deviceMemory, openDevice } from './device.js';
import { writeOwnReport } from './own-report.js';
import { planTable } from './plan-table.js';
import { onStopSignal } from './signals.js';
import { print, printJson, tell, trainingConsole } from './terminal.js';

/** Options of `sft` and `grpo`. */
export interface TrainingArgs extends CommonArgs {
  readonly config: string;
  readonly set: readonly string[];
  readonly resume: boolean;
  readonly check: boolean;
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
    .option('check', {
      type: 'boolean',
      default: false,
      describe:
        'Take the largest first step that the config and the data allow, say what memory it took, and write nothing',
    })
    .option('tier', { type: 'string', describe: 'Feature tier of the kernels; the best by default' }) as Argv<
    T & TrainingArgs
  >;
}

/** Reads the file of `--config`. */
export async function configSource(args: Pick<TrainingArgs, 'config' | 'set'>): Promise<ConfigSource> {
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
  args: Pick<TrainingArgs, 'tier' | 'resume' | 'json'>,
  config: Config,
  makeTask: MakeTask<Config>,
): Promise<TrainingResult> {
  return withDevice(args, 'saving a checkpoint', async (device) => {
    const result = await launchTraining({ ...device, config, resume: args.resume, makeTask });
    await writeOwnReport(config.output_dir);
    if (result.checkpoint) tell(evaluateHint(config, result.checkpoint));
    if (args.json) printJson(result);
    if (result.outcome === 'stopped') process.exitCode = 1;
    return result;
  });
}

/** `--check`: tries the largest first step of a checked config on the best device. */
export async function checkTraining<Config extends TrainingConfig>(
  args: TrainingArgs,
  config: Config,
  makeTask: MakeTask<Config>,
): Promise<void> {
  if (args.resume) throw new UsageError('--check is of a first step; leave out --resume');
  await withDevice(args, 'stopping', async (device) => {
    const step = await checkFirstStep({ ...device, config, makeTask });
    if (args.json) printJson(step);
    else print(firstStepText(step));
  });
}

type MakeTask<Config extends TrainingConfig> = TrainingOptions<Config>['makeTask'];

/** What a device is to be asked, and by whom. */
type OnDevice = Pick<FirstStepOptions<TrainingConfig>, 'gpu' | 'signal' | 'console' | 'deviceMemory'>;

async function withDevice<T>(
  args: Pick<TrainingArgs, 'tier'>,
  atSignal: string,
  body: (device: OnDevice) => Promise<T>,
): Promise<T> {
  await ensureDriver();
  const gpu = await openDevice({ tier: args.tier });
  const { signal, release } = stopOnSignals(atSignal);
  try {
    return await body({ gpu, signal, console: trainingConsole, deviceMemory: await deviceMemory(gpu) });
  } finally {
    release();
    await gpu.destroy();
  }
}

function firstStepText({ plan, measured, loadSeconds, seconds }: FirstStep): string {
  const took = `loading took ${loadSeconds.toFixed(1)} s, the largest first step ${seconds.toFixed(1)} s`;
  return `${planTable(plan, measured)}\n${took}, and it fits`;
}

/** What to do with the last checkpoint: the end of what a user sees. */
export function evaluateHint(config: TrainingConfig, checkpoint: string): string {
  const model = config.use_peft
    ? `--model ${config.model_name_or_path} --adapter ${checkpoint}`
    : `--model ${checkpoint}`;
  return `last checkpoint: ${checkpoint}; to measure it: osler eval ${model} --data FILE`;
}

function stopOnSignals(atSignal: string): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const { release } = onStopSignal((name) => {
    tell(`${name}: ${atSignal}; once more to end at once`);
    controller.abort();
  });
  return { signal: controller.signal, release };
}
