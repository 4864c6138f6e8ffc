/**
 * A GRPO step phase by phase: rollout of a group, forward, backward, update; beside the same with transformers, TRL's loss
 * and torch on the CPU where a Python with them is named.
 *
 *     npm run build && node dist/bench/grpo-phases.js [--arch small-qwen2-vl] [--python python3] [--json]
 */
import '#osler/platform/node/install.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Generator } from '#osler/generate/index.js';
import { LOSS_DEFAULTS, PolicyPass, policyLoss } from '#osler/grpo/index.js';
import { tunerFor } from '#osler/kernels/tuner.js';
import { initModel, loadModel, type Model } from '#osler/models/index.js';
import { AdamW } from '#osler/optim/index.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import { openGpu } from '#osler/platform/launcher/open.js';

const { values: args } = parseArgs({
  options: {
    arch: { type: 'string', default: 'small-qwen2-vl' },
    prompt: { type: 'string', default: '320' },
    completion: { type: 'string', default: '80' },
    generations: { type: 'string', default: '8' },
    steps: { type: 'string', default: '2' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const GRID = [1, 16, 16] as const;
const [prompt, completion, generations, steps] = [
  args.prompt,
  args.completion,
  args.generations,
  args.steps,
].map(Number);
const PHASES = ['rollout', 'forward', 'backward', 'update'] as const;

/** Seconds by phase. */
type Times = Record<(typeof PHASES)[number], number>;

function promptIds({ config }: Model): number[] {
  const { image = 0, visionStart = 0, visionEnd = 0 } = config.tokens;
  const picture = [visionStart, ...new Array<number>((GRID[1] * GRID[2]) / 4).fill(image), visionEnd];
  return [...picture, ...Array.from({ length: prompt - picture.length }, (_, i) => 32 + ((i * 7) % 90))];
}

async function step(model: Model, optimizer: AdamW, generator: Generator): Promise<Times> {
  const times: Times = { rollout: 0, forward: 0, backward: 0, update: 0 };
  const timed = async <T>(name: keyof Times, body: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await body();
    await model.gpu.sync();
    times[name] = (performance.now() - start) / 1000;
    return result;
  };
  const ids = promptIds(model);
  const pixels = Float32Array.from({ length: GRID[1] * GRID[2] * 1176 }, (_, i) => Math.sin(i * 0.01));
  const [completions] = await timed('rollout', async () => {
    const images = { pixels, grids: [GRID] };
    const request = { ids, images, samples: generations, maxNewTokens: completion, stopIds: [], seed: 1 };
    const found = await generator.generate([request]);
    await generator.release();
    return found;
  });
  const group = {
    prompt: { ids, images: [GRID] },
    pixels,
    completions: completions.map(({ tokenIds }) => tokenIds),
  };
  const { pass, result } = await timed('forward', async () => {
    const pass = new PolicyPass(model, [group], { temperature: 1 });
    return { pass, result: await pass.read() };
  });
  const { logpGrads } = policyLoss(
    result.logps.map((logps, i) => ({
      logps,
      entropies: result.entropies[i],
      oldLogps: null,
      refLogps: null,
      advantage: i % 2 === 0 ? 1 : -0.7,
      mask: null,
    })),
    LOSS_DEFAULTS,
    { accumulation: 1, tokens: generations * completion, maxCompletionLength: completion },
  );
  await timed('backward', () => pass.backward({ logps: logpGrads }));
  pass.dispose();
  await timed('update', () => optimizer.step(1));
  model.clearGradients();
  return times;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

await ensureDriver();
const gpu = await openGpu();
const dir = mkdtempSync(join(tmpdir(), 'osler-bench-'));
try {
  await initModel(dir, { arch: args.arch, seed: 1 });
  const model = await loadModel(gpu, dir, { dtype: 'f32' });
  model.train(() => true);
  const parameters = [...model.namedParameters()];
  const optimizer = new AdamW(gpu, [{ parameters, learningRate: 1e-6, weightDecay: 0 }], {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
  });
  const generator = new Generator(model, { maxBatch: generations });
  await step(model, optimizer, generator);
  await tunerFor(gpu).tune();
  await step(model, optimizer, generator);
  gpu.resetPeakMemory();
  const measured: Times[] = [];
  for (let i = 0; i < steps; i++) measured.push(await step(model, optimizer, generator));
  const osler = Object.fromEntries(
    PHASES.map((name) => [name, median(measured.map((t) => t[name]))]),
  ) as Times;
  const settings = { model: dir, prompt: promptIds(model), grid: GRID, generations, completion, steps };
  const script = fileURLToPath(new URL('../../bench/grpo-torch.py', import.meta.url));
  const torch = args.python
    ? (JSON.parse(
        execFileSync(args.python, [script], {
          input: JSON.stringify(settings),
          stdio: ['pipe', 'pipe', 'ignore'],
        }).toString(),
      ) as Times)
    : null;
  const peakBytes = gpu.memory().peakTotal;
  if (args.json) {
    console.log(
      JSON.stringify(
        { adapter: gpu.info.name, arch: args.arch, prompt, completion, generations, peakBytes, osler, torch },
        null,
        2,
      ),
    );
  } else {
    console.log(`${gpu.info.name}: ${args.arch}, prompt ${prompt}, ${generations} x ${completion} tokens`);
    for (const name of PHASES) {
      const peer = torch ? `  torch ${torch[name].toFixed(2)} s` : '';
      console.log(`${name.padEnd(10)} ${osler[name].toFixed(2).padStart(7)} s${peer}`);
    }
    const total = (times: Times) => PHASES.reduce((sum, name) => sum + times[name], 0);
    const peer = torch ? `  torch ${total(torch).toFixed(2)} s` : '';
    console.log(
      `${'step'.padEnd(10)} ${total(osler).toFixed(2).padStart(7)} s${peer}  peak ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
    );
  }
  optimizer.dispose();
  await generator.dispose();
  model.dispose();
} finally {
  rmSync(dir, { recursive: true });
  await gpu.destroy();
}
