/**
 * Generation from end to end, at the sizes that a machine without a GPU can run:
 * - time to the first tokens of 8 samples of one prompt with a picture, shared and as 8 separate prompts;
 * - time of a decode step by batch size, and the share of it that is not spent in kernels;
 * - tokens per second, beside transformers on torch's CPU kernels where a Python with them is named.
 *
 *     npm run build && node dist/bench/generate.js [--arch small] [--python python3] [--json]
 */
import '#osler/platform/node/install.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type GenerationRequest, Generator, type TokenEvent } from '#osler/generate/index.js';
import { tunerFor } from '#osler/kernels/tuner.js';
import type { Model } from '#osler/models/core/model.js';
import { initModel } from '#osler/models/init/init.js';
import { loadModel } from '#osler/models/load.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import { openGpu } from '#osler/platform/launcher/open.js';
import { PassClock } from './generate-clock.js';

const SAMPLES = 8;
const BATCHES = [1, 8, 32];
const PROMPT = 300;
const NEW = 27;
/** Decode steps that are timed: the last ones. */
const STEPS = 20;
const GRID = [1, 16, 16] as const;

/** A prompt of a picture and words, {@link PROMPT} tokens in all. */
function prompt({ config }: Model, seed: number): Pick<GenerationRequest, 'ids' | 'images'> {
  const { image = 0, visionStart = 0, visionEnd = 0 } = config.tokens;
  const cells = (GRID[1] * GRID[2]) / 4;
  const picture = [visionStart, ...new Array<number>(cells).fill(image), visionEnd];
  const words = Array.from({ length: PROMPT - picture.length }, (_, i) => 32 + ((i * 7 + seed) % 90));
  const pixels = Float32Array.from({ length: GRID[1] * GRID[2] * 1176 }, (_, i) => Math.sin(i * 0.01 + seed));
  return { ids: [...picture, ...words], images: { pixels, grids: [GRID] } };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Medians of several ways, taken in turn so that a busy moment falls on all of them. */
async function compare(ways: readonly (() => Promise<number>)[], rounds: number): Promise<number[]> {
  const times = ways.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) times[i].push(await way());
  }
  return times.map(median);
}

/** Milliseconds until the first tokens of all samples are there. */
async function firstTokens(model: Model): Promise<{ shared: number; separate: number }> {
  const generator = new Generator(model, { maxBatch: SAMPLES });
  const base = { maxNewTokens: 1, stopIds: [] };
  const group = [{ ...prompt(model, 0), ...base, samples: SAMPLES }];
  const copies = Array.from({ length: SAMPLES }, (_, stream) => ({ ...prompt(model, 0), ...base, stream }));
  const ways = [group, copies].map((requests) => () => timed(() => generator.generate(requests)));
  await compare(ways, 1);
  const [shared, separate] = await compare(ways, 3);
  await generator.dispose();
  return { shared, separate };
}

/** Lets the tuner see all shapes, so that it can choose before anything is timed. */
async function warmUp(model: Model): Promise<void> {
  for (const maxBatch of [1, ...BATCHES]) {
    const generator = new Generator(model, { maxBatch });
    await generator.generate([{ ...prompt(model, 0), samples: maxBatch, maxNewTokens: 2, stopIds: [] }]);
    await generator.dispose();
  }
}

interface DecodeRow {
  readonly batch: number;
  readonly stepMs: number;
  /** Share of the time in which the device had nothing to do; null where it cannot tell the time. */
  readonly idle: number | null;
}

/** Milliseconds of a decode step, from token to token, in the middle of a generation. */
async function decodeSteps(
  clock: PassClock | null,
  model: Model,
  batches: readonly number[],
): Promise<DecodeRow[]> {
  const generators = batches.map((batch) => new Generator(model, { maxBatch: batch }));
  const run = (i: number, maxNewTokens: number, arrivals: number[] = []) => {
    const onToken = ({ sample }: TokenEvent) => void (sample === 0 && arrivals.push(performance.now()));
    const request = { ...prompt(model, 1), samples: batches[i], maxNewTokens, stopIds: [], onToken };
    return generators[i].generate([request]);
  };
  const ways = batches.map((_, i) => async () => {
    const arrivals: number[] = [];
    await run(i, NEW, arrivals);
    // The first step is recorded, not replayed.
    return (arrivals[NEW - 1] - arrivals[NEW - 1 - STEPS]) / STEPS;
  });
  const times = await compare(ways, 3);
  const rows: DecodeRow[] = [];
  for (const [i, batch] of batches.entries()) {
    const idle = clock && (await idleShare(clock, (tokens) => run(i, tokens)));
    rows.push({ batch, stepMs: times[i], idle });
    await generators[i].dispose();
  }
  return rows;
}

/** Of the last steps of a generation, the share in which no pass runs. */
async function idleShare(clock: PassClock, run: (tokens: number) => Promise<unknown>): Promise<number> {
  const long = await clock.during(() => run(NEW));
  const short = await clock.during(() => run(NEW - STEPS));
  const last = long.slice(short.length - long.length);
  const busy = last.reduce((sum, { begin, end }) => sum + end - begin, 0);
  return 1 - busy / (last[last.length - 1].end - last[0].begin);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', default: 'tiny,small' },
      python: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  await ensureDriver(fileURLToPath(import.meta.url));
  const log = (line: string) => void (values.json || console.log(line));
  const gpu = await openGpu();
  const clock = gpu.device.features.has('timestamp-query') ? new PassClock(gpu) : null;
  log(`adapter  ${gpu.info.name}, ${gpu.info.driver}, tier ${gpu.tier}`);
  const results: object[] = [];
  for (const arch of values.arch.split(',')) {
    const dir = mkdtempSync(join(tmpdir(), 'osler-bench-'));
    try {
      await initModel(dir, { arch, seed: 0, dtype: 'float32' });
      const model = await loadModel(gpu, dir);
      await warmUp(model);
      await tunerFor(gpu).tune();
      const first = await firstTokens(model);
      const { shared, separate } = first;
      log(`\n${arch}: a prompt of ${PROMPT} tokens, ${(GRID[1] * GRID[2]) / 4} of them a picture's`);
      log(
        `first tokens of ${SAMPLES} samples  shared ${shared.toFixed(1)} ms, separate ${separate.toFixed(1)} ms, ${(separate / shared).toFixed(1)}x`,
      );
      const steps = await decodeSteps(clock, model, BATCHES);
      for (const { batch, stepMs, idle } of steps) {
        const outside = idle === null ? 'n/a' : `${(100 * idle).toFixed(0)}%`;
        log(`decode, batch ${rate(batch, stepMs)}, outside of kernels ${outside}`);
      }
      const torch = values.python ? torchSteps(values.python, dir) : [];
      for (const [i, { batch, stepMs, threads }] of torch.entries()) {
        log(
          `torch,  batch ${rate(batch, stepMs)} with ${threads} threads; Osler ${(stepMs / steps[i].stepMs).toFixed(2)}x as fast`,
        );
      }
      results.push({ arch, first, steps, torch });
      model.dispose();
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
  if (values.json) console.log(JSON.stringify({ adapter: gpu.info, tier: gpu.tier, results }, null, 2));
  await gpu.destroy();
}

function rate(batch: number, stepMs: number): string {
  const tokens = ((1000 * batch) / stepMs).toFixed(0);
  return `${String(batch).padStart(2)}  ${stepMs.toFixed(2).padStart(7)} ms a step, ${tokens.padStart(5)} tokens/s`;
}

function torchSteps(python: string, dir: string): { batch: number; stepMs: number; threads: number }[] {
  const script = fileURLToPath(new URL('../../bench/generate-torch.py', import.meta.url));
  const { PATH = '', HOME = '' } = process.env;
  const args = [script, dir, String(PROMPT), String(NEW), BATCHES.join(',')];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8', env: { PATH, HOME } }));
}

await main();
