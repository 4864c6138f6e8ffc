/** Finds out in a child process which adapter Dawn offers under a given command and environment. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
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
}

/** A driver that hangs is as good as none; NVIDIA's takes one to two seconds on a machine with eight GPUs. */
const TIMEOUT_MS = 20_000;

/** Asks for the best adapter with `node` (a Node binary or a script that starts one) in the environment `env`. */
export function probe(node: string, env: Readonly<Record<string, string | undefined>>): Probe {
  const script = fileURLToPath(new URL('./probe-child.js', import.meta.url));
  const child = spawnSync(node, [script], {
    env,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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
