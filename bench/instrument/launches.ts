/** How many launches decode steps and training passes take, and what they cost the host. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Mesa } from '#osler/platform/launcher/mesa-folder.js';
import { type NullChip, nullGpu } from '#osler/platform/launcher/null-gpu.js';

/** One decode step. */
export interface DecodeLaunches {
  readonly batch: number;
  readonly lora: boolean;
  /** Launches that one more layer takes, and of all layers with what is before and after. */
  readonly perLayer: number;
  readonly total: number;
  /** Bytes of all bindings. */
  readonly boundBytes: number;
  /** Processor time of the process from token to token. */
  readonly hostMs: number;
}

/** A forward and a backward pass over a prompt and its completions. */
export interface TrainingLaunches {
  readonly lora: boolean;
  readonly launches: number;
  readonly perLayer: number;
  readonly boundBytes: number;
  readonly hostMs: number;
}

/** What `osler bench --launches` finds. */
export interface Launches {
  readonly model: string;
  readonly device: string;
  /** Host time is measured with so many layers, with an adapter and without, and scaled by launches. */
  readonly timedLayers: { readonly lora: number; readonly full: number };
  readonly decode: readonly DecodeLaunches[];
  readonly training: readonly TrainingLaunches[];
}

/** Counts and measures on a null device, in a process of its own. */
export async function countLaunches(mesa: Mesa, chip: NullChip = 'navi31'): Promise<Launches> {
  const { node, env } = nullGpu(mesa, chip);
  const script = fileURLToPath(new URL('./launches-child.js', import.meta.url));
  const child = spawn(node, [script], {
    env: { ...process.env, ...env, OSLER_TIER: '' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [told, complaint, status] = await Promise.all([
    text(child.stdio[3] as Readable),
    text(child.stderr as Readable),
    ended,
  ]);
  if (status !== 0) throw new Error(`the process on the null ${chip} failed: ${complaint.trim() || status}`);
  return JSON.parse(told);
}

/** For people. */
export function launchesText({ model, device, timedLayers, decode, training }: Launches): string {
  const cell = (value: number | string, width: number) => String(value).padStart(width);
  const sizes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return [
    `${model} as launched on ${device.replace(/-+$/, '')}, which executes nothing. Host time is processor time, measured with ` +
      `${timedLayers.lora} layers (training without LoRA: ${timedLayers.full}), as many as fit, and scaled by launches.`,
    '',
    'decode step       launches a layer   in all        bound      host',
    ...decode.map(
      ({ batch, lora, perLayer, total, boundBytes, hostMs }) =>
        `B ${cell(batch, 2)}${lora ? ', LoRA' : '      '}${cell(perLayer, 24)}${cell(total, 9)}${cell(sizes(boundBytes), 13)}${cell(hostMs.toFixed(1), 7)} ms`,
    ),
    '',
    'training pass     launches a layer   in all        bound      host',
    ...training.map(
      ({ lora, launches, perLayer, boundBytes, hostMs }) =>
        `${lora ? 'LoRA' : 'full'}${cell(perLayer, 30)}${cell(launches, 9)}${cell(sizes(boundBytes), 13)}${cell(hostMs.toFixed(0), 7)} ms`,
    ),
  ].join('\n');
}
