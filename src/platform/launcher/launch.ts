/**
 * Decides how a program runs: on a GPU if there is one, else on a software Vulkan driver that is provided without asking.
 *
 * Environment:
 * - `OSLER_DRIVER`: `auto` (default), `hardware`, `software` or `system`, see {@link Driver};
 * - `OSLER_CACHE`: where a fetched driver is kept, default `$XDG_CACHE_HOME/osler` or `~/.cache/osler`;
 * - `LP_NATIVE_VECTOR_WIDTH`, `XDG_RUNTIME_DIR`, `VK_DRIVER_FILES`: kept where they are set;
 * - `OSLER_START_SECONDS`: how long a stage of the start may take, see `stages.ts`;
 * - `OSLER_LAUNCHED`, `OSLER_NODE`, `OSLER_STAGES`: set by the launcher for the processes below it.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import type { AptRecipe } from './apt.js';
import { installedDrivers } from './installed.js';
import { installedMesa, installMesa, mesaRecipes } from './mesa.js';
import type { Mesa } from './mesa-folder.js';
import { runtimeFolder } from './paths.js';
import { DRIVERS, parseDriver, plan, type Situation, type Step, vectorWidth } from './plan.js';
import { type FoundAdapter, type Probe, probe } from './probe.js';
import { relaunch } from './relaunch.js';
import { timed } from './stages.js';

/** How to start a program so that it finds an adapter. */
export interface Launch {
  readonly step: Step;
  readonly adapter: FoundAdapter;
  /** Starts Node; this process's own Node binary for `here` and `installed`. */
  readonly node: string;
  /** What the environment must hold beyond what it holds now. */
  readonly env: Readonly<Record<string, string>>;
  /** The private Mesa's folder, where the program runs under its C library. */
  readonly mesa?: string;
}

/** Why no adapter could be provided: one sentence for the user. */
export class LaunchError extends Error {
  constructor(
    message: string,
    /** 2 for bad settings, 1 where the machine offers nothing. */
    readonly exitCode: 1 | 2 = 1,
  ) {
    super(message);
  }
}

/** Device files of GPUs: any of them makes a missing Vulkan loader worth replacing. */
const GPU_FILES = ['/dev/nvidiactl', '/dev/dri/renderD128', '/dev/kfd', '/dev/dxg'];

/**
 * Makes sure that this process runs where an adapter can be found. Returns if it does. Otherwise it starts the program
 * again in a process that does, ends as that one ends, and never returns. Call it first thing in a command that needs the
 * GPU; commands that do not need not wait for it.
 *
 * @param script - the program to start again, default what this process was started with; its arguments are kept
 */
export async function ensureDriver(script: string = process.argv[1]): Promise<void> {
  const argv = [...process.execArgv, script, ...process.argv.slice(2)];
  const launched = process.env.OSLER_LAUNCHED;
  if (launched !== undefined) {
    const mesa = launched && mesaOf(launched);
    if (!mesa || isUnder(mesa)) return;
    // A child that was started with the plain Node binary: its environment is right, its C library is not.
    return relaunch(path.join(mesa, 'bin', 'node'), argv, process.env);
  }
  let launch: Launch;
  try {
    launch = chooseLaunch((line) => console.error(`osler: ${line}`));
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    console.error(`osler: ${error.message}`);
    process.exit(error.exitCode);
  }
  const marker = launch.mesa ? `${launch.step}:${launch.mesa}` : launch.step;
  const env = { ...launch.env, OSLER_LAUNCHED: marker, OSLER_NODE: process.execPath };
  if (launch.step === 'here') {
    // Reaches the drivers too: Node hands assignments on to the C library.
    Object.assign(process.env, env);
    return;
  }
  return relaunch(launch.node, argv, { ...process.env, ...env });
}

/** Finds, and if need be fetches, a driver. Throws a {@link LaunchError} where there is none to be had. */
export function chooseLaunch(report: (line: string) => void): Launch {
  const wanted = parseDriver(process.env.OSLER_DRIVER);
  if (!wanted) {
    throw new LaunchError(
      `OSLER_DRIVER is "${process.env.OSLER_DRIVER}"; use one of ${DRIVERS.join(', ')}`,
      2,
    );
  }
  const tuning = softwareTuning();
  const none: Probe = { found: undefined, problem: '', noLoader: false };
  const own = wanted === 'software' ? none : probe(process.execPath, { ...process.env, ...tuning });
  if (own.late) report(`${own.problem}; it is passed over`);
  const situation: Situation = {
    wanted,
    found: own.found,
    pinned: Boolean(process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES),
    gpuWithoutLoader: own.noLoader && GPU_FILES.some((file) => fs.existsSync(file)),
  };
  const attempt = new Attempt(tuning, report);
  for (const step of plan(situation)) {
    if (step === 'here') {
      return { step, adapter: own.found as FoundAdapter, node: process.execPath, env: tuning };
    }
    const launch = step === 'installed' ? attempt.installed(own.found) : attempt.private(step);
    if (launch) return launch;
  }
  const reason = attempt.problem || own.problem;
  throw new LaunchError(
    wanted === 'hardware'
      ? `OSLER_DRIVER=hardware, but no GPU was found${reason ? ` (${reason})` : ''}; install the GPU's Vulkan driver and libvulkan1`
      : `no GPU and no software Vulkan driver was found${reason ? ` (${reason})` : ''}; ${whatToInstall()}`,
  );
}

/** Tries drivers, remembering why one did not do. */
class Attempt {
  problem = '';
  private mesa: Mesa | undefined;

  constructor(
    private readonly tuning: Readonly<Record<string, string>>,
    private readonly report: (line: string) => void,
  ) {}

  /** The private Mesa's driver, or with `private-loader` only its loader, for a GPU. */
  private(step: 'private' | 'private-loader'): Launch | undefined {
    const mesa = this.provideMesa();
    if (!mesa) return undefined;
    const base = { node: mesa.node, mesa: mesa.folder };
    if (step === 'private-loader') {
      const { found, problem } = probe(mesa.node, { ...process.env, OSLER_NODE: process.execPath });
      if (found && !found.software) return { step, adapter: found, env: {}, ...base };
      this.problem = problem;
      return undefined;
    }
    // It was tried when it was unpacked: no need to start it twice each time.
    const adapter = { vendor: 'mesa', name: 'llvmpipe', driver: 'private Mesa', software: true };
    return { step, adapter, env: mesaEnv(mesa, this.tuning), ...base };
  }

  /** A software driver of this machine that Dawn accepts; `own` is what it found by itself. */
  installed(own: FoundAdapter | undefined): Launch | undefined {
    const because = this.problem ? ` (${this.problem})` : '';
    const slow = (name: string) =>
      this.report(`running on ${name}, which is several times slower than a current Mesa${because}`);
    const node = process.execPath;
    if (own) {
      slow(own.driver || own.name);
      return { step: 'here', adapter: own, node, env: this.tuning };
    }
    for (const candidate of installedDrivers()) {
      const env = { ...this.tuning, ...candidate.env };
      const { found } = probe(node, { ...process.env, ...env });
      if (!found) continue;
      slow(candidate.name);
      return { step: 'installed', adapter: found, node, env };
    }
    return undefined;
  }

  private provideMesa(): Mesa | undefined {
    if (this.mesa || this.problem) return this.mesa;
    const recipes = mesaRecipes();
    if (typeof recipes === 'string') {
      this.problem = recipes;
      return undefined;
    }
    this.mesa = installedMesa(recipes) ?? this.fetchMesa(recipes);
    return this.mesa;
  }

  private fetchMesa(recipes: readonly AptRecipe[]): Mesa | undefined {
    const works = (mesa: Mesa) => {
      const env = { ...process.env, ...mesaEnv(mesa, this.tuning), OSLER_NODE: process.execPath };
      const { found, problem } = probe(mesa.node, env);
      return found ? undefined : problem;
    };
    try {
      return timed('fetch', () => installMesa(recipes, works, this.report));
    } catch (error) {
      this.problem = `a private Mesa could not be fetched: ${(error as Error).message}`;
      return undefined;
    }
  }
}

function mesaEnv(mesa: Mesa, tuning: Readonly<Record<string, string>>): Record<string, string> {
  return { ...tuning, VK_DRIVER_FILES: mesa.icds.lvp, VK_ICD_FILENAMES: mesa.icds.lvp };
}

/** Settings that make lavapipe fast and its loader quiet; hardware drivers do not read them. */
function softwareTuning(): Record<string, string> {
  if (process.platform !== 'linux') return {};
  const tuning: Record<string, string> = { XDG_RUNTIME_DIR: runtimeFolder() };
  const width = process.env.LP_NATIVE_VECTOR_WIDTH ?? vectorWidth(readOr('/proc/cpuinfo'));
  if (width) tuning.LP_NATIVE_VECTOR_WIDTH = width;
  return tuning;
}

function whatToInstall(): string {
  if (process.platform === 'linux') {
    return 'install the Vulkan driver of your GPU, or Mesa 26 or newer with lavapipe (Fedora: mesa-vulkan-drivers, Arch: vulkan-swrast, Alpine: mesa-vulkan-swrast) and the Vulkan loader';
  }
  if (process.platform === 'darwin') return 'Osler needs a Mac with Metal';
  return 'install a current driver of your GPU, with Direct3D 12 or Vulkan';
}

/** The private Mesa's folder, from the marker. */
function mesaOf(launched: string): string | undefined {
  return /^private(?:-loader)?:(.+)$/.exec(launched)?.[1];
}

/** True if this process runs under the dynamic linker of `mesa`. */
function isUnder(mesa: string): boolean {
  try {
    return fs.readlinkSync('/proc/self/exe').startsWith(`${fs.realpathSync(mesa)}${path.sep}`);
  } catch {
    return false;
  }
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
