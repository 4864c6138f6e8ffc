/** Finds out in a child process which adapter Dawn offers under a given command and environment. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stageSeconds, timed } from './stages.js';
import { DAWN_NOISE } from './stderr.js';

/** What an adapter says of itself. */
export interface FoundAdapter {
  readonly vendor: string;
  readonly name: string;
  readonly driver: string;
  /** True where kernels would run on the CPU. */
  readonly software: boolean;
}

/** The outcome of a probe. */
export interface Probe {
  readonly found: FoundAdapter | undefined;
  /** Why nothing was found, in the driver's words. */
  readonly problem: string;
  /** True if there is no Vulkan loader at all. */
  readonly noLoader: boolean;
  /** True if the driver did not answer. */
  readonly late?: boolean;
}

/**
 * A driver that hangs is as good as none, and several may be asked in turn: each has a share of what a stage may take, 20 s by
 * default. NVIDIA's takes one to two seconds on a machine with eight GPUs.
 */
const SHARES = 6;

/** Asks for the best adapter with `node` (a Node binary or a script that starts one) in the environment `env`. */
export function probe(node: string, env: Readonly<Record<string, string | undefined>>): Probe {
  const script = fileURLToPath(new URL('./probe-child.js', import.meta.url));
  const seconds = (stageSeconds() ?? 0) / SHARES;
  const child = timed('probe', () =>
    spawnSync(node, [script], {
      env,
      encoding: 'utf8',
      timeout: Math.ceil(seconds * 1000),
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  if ((child.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') {
    const problem = `the driver did not answer within ${seconds} s; OSLER_START_SECONDS gives it longer`;
    return { found: undefined, problem, noLoader: false, late: true };
  }
  return readProbe(child.stdout ?? '', child.stderr ?? '', child.error?.message ?? child.signal ?? undefined);
}

/** Makes sense of what the probe printed. */
export function readProbe(stdout: string, stderr: string, failure?: string): Probe {
  const line = stdout.split('\n').find((text) => text.startsWith('{"found"'));
  const found = line ? ((JSON.parse(line) as { found: FoundAdapter | null }).found ?? undefined) : undefined;
  const noise = (text: string) => DAWN_NOISE.test(text) || /^\s*at /.test(text);
  const complaint = stderr.split('\n').find((text) => text.trim() && !noise(text));
  const problem = found ? '' : (complaint?.replace(/^Warning: /, '') ?? failure ?? 'no adapter was found');
  return { found, problem: problem.trim(), noLoader: /Couldn't load Vulkan/i.test(stderr) };
}
