/**
 * Runs on a null device, in a process of its own: counts the launches of decode steps and training passes, and measures what
 * the host needs for one. File descriptor 3 gets a {@link Launches} as JSON.
 */
import '#osler/platform/node/install.js';
import { writeSync } from 'node:fs';
import type { Gpu } from '#osler/gpu/index.js';
import { openGpu } from '#osler/platform/launcher/open.js';
import { scope } from '#osler/tensor/index.js';
import type { DecodeLaunches, Launches, TrainingLaunches } from './launches.js';
import { recordStep } from './record.js';
import { configOf, makeModel, rollOut, STEP, type StepShape, startPass } from './step.js';

const MODEL = 'qwen2-vl-2b';
const BATCHES = [1, 8, 32];
/** Layers that fit into the 4 GiB that the device pretends to have: gradients of all weights need room. */
const LAYERS = { lora: 4, full: 1 };
/** Passes that are timed are shorter: the number of tokens changes what a launch does, and not what it costs the host. */
const TIMED: StepShape = { ...STEP, prompts: 1, completions: 4, tokens: 64 };
/** Tokens of a short generation, and decode steps that a long one has beyond it. */
const SHORT = 4;
const STEPS = 100;

/** How often a piece of work is measured. The least counts: caches are warm then, and nobody else was in the way. */
const ROUNDS = 5;

/** The least processor milliseconds of a piece of work, of all threads: what other programs do counts little. */
async function processorMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}

/** Milliseconds per launch of a replayed decode step, from token to token. */
async function replayedMs(gpu: Gpu, batch: number, lora: boolean): Promise<number> {
  const model = makeModel(gpu, configOf(MODEL, LAYERS.lora), lora);
  const shape = { ...STEP, prompts: 1, completions: batch };
  const generate = (tokens: number) => rollOut(model, shape, () => {}, tokens);
  await generate(SHORT + STEPS);
  // What a longer generation costs beyond a shorter one is replayed.
  const short = await processorMs(() => generate(SHORT));
  const long = await processorMs(() => generate(SHORT + STEPS));
  model.dispose();
  gpu.trim();
  const { launches } = (await recordStep(MODEL, { traits: gpu, shape, lora, layers: LAYERS.lora })).total(
    'decode',
  );
  return (long - short) / STEPS / launches;
}

/** Milliseconds per launch of a training pass, forward and backward. */
async function encodedMs(gpu: Gpu, lora: boolean): Promise<number> {
  const layers = lora ? LAYERS.lora : LAYERS.full;
  const model = makeModel(gpu, configOf(MODEL, layers), lora);
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
  const ms = await processorMs(pass);
  model.dispose();
  gpu.trim();
  const recorded = await recordStep(MODEL, { traits: gpu, shape: TIMED, lora, layers });
  return ms / (recorded.total('forward').launches + recorded.total('backward').launches);
}

const gpu = await openGpu({ software: false });
const { layers } = configOf(MODEL).text;
const decode: DecodeLaunches[] = [];
const training: TrainingLaunches[] = [];
for (const lora of [false, true]) {
  for (const batch of BATCHES) {
    const shape = { ...STEP, prompts: 1, completions: batch };
    const [whole, less] = await Promise.all(
      [layers, layers - 1].map(async (n) =>
        (await recordStep(MODEL, { traits: gpu, shape, lora, layers: n })).total('decode'),
      ),
    );
    const perLaunch = await replayedMs(gpu, batch, lora);
    decode.push({
      batch,
      lora,
      perLayer: whole.launches - less.launches,
      total: whole.launches,
      boundBytes: whole.boundBytes,
      hostMs: perLaunch * whole.launches,
    });
  }
  const shape = { ...STEP, prompts: 1 };
  const [whole, less] = await Promise.all(
    [layers, layers - 1].map(async (n) => {
      const recorded = await recordStep(MODEL, { traits: gpu, shape, lora, layers: n });
      const [forward, backward] = [recorded.total('forward'), recorded.total('backward')];
      return {
        launches: forward.launches + backward.launches,
        boundBytes: forward.boundBytes + backward.boundBytes,
      };
    }),
  );
  training.push({
    lora,
    launches: whole.launches,
    perLayer: whole.launches - less.launches,
    boundBytes: whole.boundBytes,
    hostMs: (await encodedMs(gpu, lora)) * whole.launches,
  });
}
const launches: Launches = { model: MODEL, device: gpu.info.name, timedLayers: LAYERS, decode, training };
writeSync(3, JSON.stringify(launches));
process.exit(0);
