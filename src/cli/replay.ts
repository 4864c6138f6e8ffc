/** `osler replay`: an audit that takes the last steps of a run again and compares what comes of it, byte by byte. */
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import { makeGrpoTask, parseGrpoConfig } from '../grpo/index.js';
import { FileError } from '../platform/errors.js';
import { namesIn, readWholeFile } from '../platform/files.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { OSLER_VERSION } from '../platform/version.js';
import { makeSftTask, parseSftConfig } from '../sft/index.js';
import type { ConfigSource } from '../train/config/index.js';
import type { TrainingListener, TrainingResult } from '../train/events.js';
import { launchTraining } from '../train/launch.js';
import { MANIFEST, type Manifest, readManifest, verifyCheckpoint } from '../train/manifest.js';
import { Present } from '../train/origin.js';
import { compareCheckpoints, compareLogs, type FileComparison, type LogComparison } from '../train/replay.js';
import { CONFIG_FILE, KERNELS_FILE, RunFolder } from '../train/run-folder.js';
import { type CommonArgs, commonOptions, environmentVariable, UsageError } from './common.js';
import { deviceMemory, openDevice } from './device.js';
import { onStopSignal } from './signals.js';
import { print, printJson, trainingConsole } from './terminal.js';

interface Args extends CommonArgs {
  readonly run: string;
  readonly steps: number;
  readonly modules: string;
  readonly tier?: string;
}

/** Which steps are taken again. */
interface Plan {
  readonly run: RunFolder;
  /** Step of the checkpoint to start from; 0 for the model itself. */
  readonly start: number;
  /** Step of the checkpoint to compare with, the run's last. */
  readonly last: number;
  readonly manifest: Manifest;
}

/** What came of it. */
interface Audit extends Pick<Plan, 'start' | 'last'> {
  readonly pass: boolean;
  readonly device: { readonly run: string; readonly replay: string };
  readonly osler: { readonly run: string | null; readonly replay: string };
  readonly files: readonly FileComparison[];
  readonly logs: readonly LogComparison[];
}

/** Finds the checkpoints to start from and to compare with; refuses where there are none. */
async function planReplay(folder: string, steps: number): Promise<Plan> {
  const run = new RunFolder(folder);
  const there = await run.checkpoints();
  const last = there.at(-1);
  if (last === undefined) throw new FileError(folder, 'has no checkpoints; name the folder of a run');
  const manifest = await readManifest(run.checkpoint(last));
  if (manifest === undefined || manifest === 'damaged')
    throw new FileError(
      run.checkpoint(last),
      `has no ${MANIFEST} that can be read, so nobody knows what it was`,
    );
  const starts: number[] = [];
  for (const step of there.slice(0, -1))
    if ((await namesIn(run.checkpoint(step))).includes('trainer-state')) starts.push(step);
  const start = steps === last ? 0 : starts.filter((step) => step <= last - steps).at(-1);
  if (start === undefined) {
    const most = starts.length > 0 ? `up to ${last - starts[0]} from step ${starts[0]}, or ` : '';
    throw new UsageError(
      `--steps ${steps}: ${folder} has no checkpoint so far before its last, that of step ${last}; possible are ${most}${last} from the model itself`,
    );
  }
  const verdict = start === 0 ? null : await verifyCheckpoint(run.checkpoint(start));
  if (verdict?.kind === 'damaged')
    throw new FileError(
      run.checkpoint(start),
      `is damaged (${verdict.problems.join('; ')}); start elsewhere`,
    );
  return { run, start, last, manifest };
}

/** Refuses a config or inputs that are not those of the run: other bytes would come of them. */
async function checkOrigin({ run, last, manifest }: Plan, yaml: string): Promise<void> {
  const changed = await new Present().differences(manifest, yaml);
  if (changed.length === 0) return;
  throw new UsageError(
    `the steps of ${run.checkpoint(last)} cannot be taken again: ${changed.join('; ')}; put back what was there`,
  );
}

/** Takes the steps in a folder that has of the run what a resume reads. */
async function takeAgain(plan: Plan, args: Args, yaml: string, folder: string): Promise<Audit> {
  const { run, start, last, manifest } = plan;
  await mkdir(path.join(folder, 'checkpoints'));
  const copy = new RunFolder(folder);
  if (start > 0) await symlink(path.resolve(run.checkpoint(start)), copy.checkpoint(start), 'junction');
  if ((await namesIn(run.path)).includes(KERNELS_FILE))
    await copyFile(path.join(run.path, KERNELS_FILE), path.join(folder, KERNELS_FILE));
  const gpu = await openDevice({ tier: args.tier ?? manifest.device.tier });
  try {
    const result = await train(gpu, { ...plan, yaml, folder, modules: args.modules });
    if (result.step !== last) throw new Error(`stopped at step ${result.step}, before step ${last}`);
    const files = await compareCheckpoints(run.checkpoint(last), copy.checkpoint(last), manifest);
    const logs = await compareLogs(run.path, folder, plan);
    const { adapter, driver, tier } = manifest.device;
    return {
      pass: files.every(({ equal }) => equal) && logs.every(({ different }) => different === 0),
      start,
      last,
      device: {
        run: deviceName(adapter, driver, tier),
        replay: deviceName(gpu.info.name, gpu.info.driver, gpu.tier),
      },
      osler: { run: manifest.osler ?? null, replay: OSLER_VERSION },
      files,
      logs,
    };
  } finally {
    await gpu.destroy();
  }
}

function deviceName(adapter: string, driver: string, tier: string): string {
  return `${adapter}, ${driver}, tier ${tier}`;
}

/** Trains as `--resume` does, until the last step is taken. */
async function train(
  gpu: Awaited<ReturnType<typeof openDevice>>,
  how: Plan & { readonly yaml: string; readonly folder: string; readonly modules: string },
): Promise<TrainingResult> {
  const { run, last, manifest, yaml, folder, modules } = how;
  const stop = new AbortController();
  const { release } = onStopSignal(() => stop.abort());
  const untilLast: TrainingListener = { onStep: ({ step }) => void (step === last && stop.abort()) };
  const common = {
    gpu,
    resume: true,
    console: trainingConsole,
    listeners: [untilLast],
    signal: stop.signal,
    deviceMemory: await deviceMemory(gpu),
  };
  const set = [`output_dir=${JSON.stringify(folder)}`, 'overwrite_output_dir=false', 'report_to=[]'];
  // One checkpoint is asked for, and none is deleted: one of those in the folder is the run's own.
  set.push('save_strategy=steps', `save_steps=${last}`, 'save_total_limit=null');
  const source: ConfigSource = { file: path.join(run.path, CONFIG_FILE), text: yaml, set };
  try {
    if (manifest.task === 'sft')
      return await launchTraining({ ...common, config: parseSftConfig(source), makeTask: makeSftTask });
    return await launchTraining({
      ...common,
      config: parseGrpoConfig(source),
      makeTask: (setting) => makeGrpoTask(setting, { folder: modules, environment: environmentVariable }),
    });
  } finally {
    release();
  }
}

function render({ start, last, device, osler, files, logs, pass }: Audit, run: string): string {
  const from = start === 0 ? 'the model itself' : `the checkpoint of step ${start}`;
  const now = ({ run, replay }: Audit['osler']) => (run === replay ? 'the same' : replay);
  const different =
    files.filter(({ equal }) => !equal).length + logs.filter((log) => log.different > 0).length;
  return [
    `${run}: ${counted(last - start, 'step')} up to step ${last} taken again, from ${from}`,
    `device then: ${device.run}; now: ${now(device)}`,
    `Osler then: ${osler.run ?? 'not recorded'}; now: ${now(osler)}`,
    ...files.map(
      ({ file, problem }) => `  ${file}: ${problem === undefined ? 'equal' : `DIFFERENT: ${problem}`}`,
    ),
    ...logs.map(
      ({ log, lines, different: other }) =>
        `  ${log}: ${other === 0 ? `${counted(lines, 'line')}, equal` : `DIFFERENT in ${other} of ${counted(lines, 'line')}`}`,
    ),
    pass ? 'equal, byte by byte' : `${different} of ${files.length + logs.length} differ`,
  ].join('\n');
}

/** The yargs command. */
export const replay: CommandModule<object, Args> = {
  command: 'replay <run>',
  describe: 'Take the last steps of a run again, and compare every byte that comes of it',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('run', {
        type: 'string',
        demandOption: true,
        describe: 'Folder of a run; nothing is written to it',
      })
      .option('steps', {
        type: 'number',
        demandOption: true,
        describe: 'How many steps before the last checkpoint; more where no checkpoint is just so far back',
      })
      .option('modules', {
        type: 'string',
        default: '.',
        describe: 'Folder that reward modules are relative to: where the config was that began the run',
      })
      .option('tier', { type: 'string', describe: "Feature tier of the kernels; the run's own by default" })
      .example('$0 replay runs/grpo --steps 1', 'the last step, or those since the checkpoint before it')
      .example('$0 replay runs/grpo --steps 1 --json', 'the same for scripts')
      .epilogue(
        'Exit code 1 where anything differs; 2 where the steps cannot be taken again: no checkpoint is far enough back, or the config, the model or the data are not what they were. Equal bytes need the device and the version of the run.',
      ),
  handler: async (args) => {
    if (!Number.isSafeInteger(args.steps) || args.steps < 1)
      throw new UsageError(`--steps ${args.steps} is not a whole number of 1 or more`);
    const plan = await planReplay(args.run, args.steps);
    const yaml = new TextDecoder().decode(await readWholeFile(path.join(args.run, CONFIG_FILE)));
    await ensureDriver();
    await checkOrigin(plan, yaml);
    const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-replay-'));
    try {
      const audit = await takeAgain(plan, args, yaml, folder);
      if (args.json) printJson(audit);
      else print(render(audit, args.run));
      if (!audit.pass) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
