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
  /** Null without an adapter: gradients of all weights do not fit into what the device pretends to have. */
  readonly hostMs: number | null;
}

/** What `osler bench --launches` finds. */
export interface Launches {
  readonly model: string;
  readonly device: string;
  /** Layers with which the host time of a decode step is measured, and is scaled by launches. */
  readonly timedLayers: number;
  readonly decode: readonly DecodeLaunches[];
  readonly training: readonly TrainingLaunches[];
}

/** What a process is asked about: a decode step of so many samples, or (null) a training pass. */
export interface Question {
  readonly batch: number | null;
  readonly lora: boolean;
}

/** What it says. */
export interface Answer {
  readonly device: string;
  readonly found: DecodeLaunches | TrainingLaunches;
}

/** The model whose launches are counted. */
export const MODEL = 'qwen2-vl-2b';
/** Layers that are timed; more would not fit into the 4 GiB that the device pretends to have. */
export const LAYERS = 4;
export const MORE_LAYERS = 10;
const BATCHES = [1, 8, 32];

/** Counts and measures on a null device. */
export async function countLaunches(mesa: Mesa, chip: NullChip = 'navi31'): Promise<Launches> {
  const decode: DecodeLaunches[] = [];
  const training: TrainingLaunches[] = [];
  let device = '';
  for (const lora of [false, true]) {
    for (const batch of BATCHES) {
      const answer = await ask(mesa, chip, { batch, lora });
      decode.push(answer.found as DecodeLaunches);
      device = answer.device;
    }
    training.push((await ask(mesa, chip, { batch: null, lora })).found as TrainingLaunches);
  }
  return { model: MODEL, device, timedLayers: LAYERS, decode, training };
}

/** A process for each question: a null device does not last through some thousand submits. */
async function ask(mesa: Mesa, chip: NullChip, question: Question): Promise<Answer> {
  const { node, env } = nullGpu(mesa, chip);
  const script = fileURLToPath(new URL('./launches-child.js', import.meta.url));
  const child = spawn(node, [script, JSON.stringify(question)], {
    env: { ...process.env, ...env, OSLER_TIER: '' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${code ?? signal}`));
  });
  const [told, complaint, problem] = await Promise.all([
    text(child.stdio[3] as Readable),
    text(child.stderr as Readable),
    ended,
  ]);
  if (problem) throw new Error(`the process on the null ${chip} failed: ${complaint.trim() || problem}`);
  return JSON.parse(told);
}

/** For people. */
export function launchesText({ model, device, timedLayers, decode, training }: Launches): string {
  const cell = (value: number | string, width: number) => String(value).padStart(width);
  const sizes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return [
    `${model} as launched on ${device.replace(/-+$/, '')}, which executes nothing. Host time is processor time, measured with ` +
      `${timedLayers} layers, which fit, and scaled by launches; full training does not fit.`,
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
        `${lora ? 'LoRA' : 'full'}${cell(perLayer, 30)}${cell(launches, 9)}${cell(sizes(boundBytes), 13)}${cell(hostMs?.toFixed(0) ?? '-', 7)} ms`,
    ),
  ].join('\n');
}
