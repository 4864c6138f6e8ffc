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
  MORE_LAYERS,
  type Question,
  type TrainingLaunches,
} from './launches.js';
import { recordStep } from './record.js';
import { configOf, makeModel, rollOut, STEP, type StepShape, startPass } from './step.js';

/** Passes that are timed are shorter: the number of tokens changes what a launch does, and not what it costs the host. */
const TIMED: StepShape = { ...STEP, prompts: 1, completions: 4, tokens: 64 };
/** Tokens of a short generation, and decode steps that a long one has beyond it. */
const SHORT = 4;
const STEPS = 400;
/** The least of so many is taken. */
const ROUNDS = 3;

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
  const generate = (tokens: number) => rollOut(model, { ...shape, tokens }, () => {});
  // Until the engine's own code is compiled as far as it will be.
  for (let i = 0; i < ROUNDS; i++) await generate(SHORT);
  // What a longer generation costs beyond a shorter one is replayed.
  const long = await processorMs(() => generate(SHORT + STEPS), ROUNDS);
  const short = await processorMs(() => generate(SHORT), ROUNDS);
  model.dispose();
  gpu.trim();
  const { launches } = (await recordStep(MODEL, { traits: gpu, shape, lora, layers: LAYERS })).total(
    'decode',
  );
  return (long - short) / STEPS / launches;
}

/** Milliseconds of a training pass, forward and backward, over so many layers. */
async function encodedMs(gpu: Gpu, layers: number): Promise<number> {
  const model = makeModel(gpu, configOf(MODEL, layers), true);
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
  const ms = await processorMs(pass, ROUNDS);
  model.dispose();
  gpu.trim();
  return ms;
}

/** The same of all layers: what each costs is what more of them take longer, as the first ones are launched one by one. */
async function wholeMs(gpu: Gpu, layers: number): Promise<number> {
  const [few, more] = [await encodedMs(gpu, LAYERS), await encodedMs(gpu, MORE_LAYERS)];
  return few + ((more - few) / (MORE_LAYERS - LAYERS)) * (layers - LAYERS);
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
    hostMs: lora ? await wholeMs(gpu, layers) : null,
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
