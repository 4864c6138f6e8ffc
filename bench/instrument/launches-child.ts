/**
 * Runs on a null device, in a process of its own: counts the launches of a decode step or of a training pass, and measures
 * what the host needs for it. Argument: a {@link Question} as JSON; file descriptor 3 gets the answer.
 */
import '#osler/platform/node/install.js';
import { writeSync } from 'node:fs';
import type { Gpu } from '#osler/gpu/index.js';
import { openGpu } from '#osler/platform/launcher/open.js';
import { scope } from '#osler/tensor/index.js';
import {
  type Answer,
  type DecodeLaunches,
  LAYERS,
  MODEL,
  type Question,
  type TrainingLaunches,
} from './launches.js';
import { recordStep } from './record.js';
import { configOf, makeModel, rollOut, STEP, type StepShape, startPass } from './step.js';

/** Passes that are timed are shorter: the number of tokens changes what a launch does, and not what it costs the host. */
const TIMED: StepShape = { ...STEP, prompts: 1, completions: 4, tokens: 64 };
/** Tokens of a short generation, and decode steps that a long one has beyond it. */
const SHORT = 4;
const STEPS = 60;

/** The least processor milliseconds of a piece of work, of all threads: what other programs do counts little. */
async function processorMs(work: () => Promise<unknown>, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}

/** Milliseconds per launch of a replayed decode step, from token to token. */
async function replayedMs(gpu: Gpu, batch: number, lora: boolean): Promise<number> {
  const model = makeModel(gpu, configOf(MODEL, LAYERS), lora);
  const shape = { ...STEP, prompts: 1, completions: batch };
  const generate = (tokens: number) => rollOut(model, shape, () => {}, tokens);
  await generate(SHORT);
  // What a longer generation costs beyond a shorter one is replayed.
  const short = await processorMs(() => generate(SHORT), 1);
  const long = await processorMs(() => generate(SHORT + STEPS), 1);
  model.dispose();
  gpu.trim();
  const { launches } = (await recordStep(MODEL, { traits: gpu, shape, lora, layers: LAYERS })).total(
    'decode',
  );
  return (long - short) / STEPS / launches;
}

/** Milliseconds per launch of a training pass, forward and backward. */
async function encodedMs(gpu: Gpu): Promise<number> {
  const model = makeModel(gpu, configOf(MODEL, LAYERS), true);
  const zeros = Array.from({ length: TIMED.completions }, () => new Float32Array(TIMED.tokens));
  const pass = async () => {
    scope(() => {
      const started = startPass(model, TIMED);
      started.backward({ logps: zeros });
      started.dispose();
    });
    await gpu.sync();
  };
  await pass();
  const ms = await processorMs(pass, 3);
  model.dispose();
  gpu.trim();
  const recorded = await recordStep(MODEL, { traits: gpu, shape: TIMED, layers: LAYERS });
  return ms / (recorded.total('forward').launches + recorded.total('backward').launches);
}

async function decodeLaunches(gpu: Gpu, batch: number, lora: boolean): Promise<DecodeLaunches> {
  const shape = { ...STEP, prompts: 1, completions: batch };
  const count = async (n: number) =>
    (await recordStep(MODEL, { traits: gpu, shape, lora, layers: n, rollOutOnly: true })).total('decode');
  const { layers } = configOf(MODEL).text;
  const [whole, less] = [await count(layers), await count(layers - 1)];
  return {
    batch,
    lora,
    perLayer: whole.launches - less.launches,
    total: whole.launches,
    boundBytes: whole.boundBytes,
    hostMs: (await replayedMs(gpu, batch, lora)) * whole.launches,
  };
}

async function trainingLaunches(gpu: Gpu, lora: boolean): Promise<TrainingLaunches> {
  const shape = { ...STEP, prompts: 1 };
  const count = async (n: number) => {
    const recorded = await recordStep(MODEL, { traits: gpu, shape, lora, layers: n });
    const [forward, backward] = [recorded.total('forward'), recorded.total('backward')];
    return {
      launches: forward.launches + backward.launches,
      boundBytes: forward.boundBytes + backward.boundBytes,
    };
  };
  const { layers } = configOf(MODEL).text;
  const [whole, less] = [await count(layers), await count(layers - 1)];
  return {
    lora,
    ...whole,
    perLayer: whole.launches - less.launches,
    hostMs: lora ? (await encodedMs(gpu)) * whole.launches : null,
  };
}

const { batch, lora } = JSON.parse(process.argv[2]) as Question;
const gpu = await openGpu({ software: false });
const answer: Answer = {
  device: gpu.info.name,
  found: batch === null ? await trainingLaunches(gpu, lora) : await decodeLaunches(gpu, batch, lora),
};
writeSync(3, JSON.stringify(answer));
process.exit(0);
