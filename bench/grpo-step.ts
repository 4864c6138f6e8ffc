/**
 * One GRPO training step on a group of completions, with the prompt and its picture there once and with a copy for every
 * completion as other trainers have it: time, peak memory, and how far the gradients are from each other.
 *
 *     npm run build && node dist/bench/grpo-step.js [--arch small] [--prompt 320] [--completion 80] [--generations 8] [--json]
 */
import '#osler/platform/node/install.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LOSS_DEFAULTS, type PassGroup, PolicyPass, policyLoss } from '#osler/grpo/index.js';
import { tunerFor } from '#osler/kernels/tuner.js';
import { initModel, loadModel, type Model } from '#osler/models/index.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import { openGpu } from '#osler/platform/launcher/open.js';

const { values: args } = parseArgs({
  options: {
    arch: { type: 'string', default: 'small' },
    prompt: { type: 'string', default: '320' },
    completion: { type: 'string', default: '80' },
    generations: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    recompute: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const GRID = [1, 16, 16] as const;

/** What a step took. */
interface StepCost {
  readonly milliseconds: number;
  readonly peakBytes: number;
  readonly tokens: number;
}

/** A group of completions of different lengths, the longest as asked for. */
function makeGroup({ config }: Model): PassGroup {
  const { image = 0, visionStart = 0, visionEnd = 0 } = config.tokens;
  const cells = (GRID[1] * GRID[2]) / 4;
  const picture = [visionStart, ...new Array<number>(cells).fill(image), visionEnd];
  const word = (i: number) => 32 + ((i * 7) % 90);
  return {
    prompt: {
      ids: [...picture, ...Array.from({ length: Number(args.prompt) - picture.length }, (_, i) => word(i))],
      images: [GRID],
    },
    pixels: Float32Array.from({ length: GRID[1] * GRID[2] * 1176 }, (_, i) => Math.sin(i * 0.01)),
    completions: Array.from({ length: Number(args.generations) }, (_, g) =>
      Array.from({ length: Number(args.completion) }, (_, i) => word(11 * g + 3 * i)),
    ),
  };
}

/** Forward, loss, backward, with gradients left in the weights. */
async function step(model: Model, group: PassGroup, copies: boolean): Promise<StepCost> {
  const { gpu } = model;
  model.clearGradients();
  await gpu.sync();
  gpu.resetPeakMemory();
  const start = performance.now();
  const pass = new PolicyPass(model, [group], { temperature: 1, copies, recompute: args.recompute });
  const { logps, entropies } = await pass.read();
  const sequences = logps.map((own, i) => ({
    logps: own,
    entropies: entropies[i],
    oldLogps: null,
    refLogps: null,
    advantage: i % 2 === 0 ? 1 : -0.7,
    mask: null,
  }));
  const tokens = logps.reduce((n, own) => n + own.length, 0);
  const window = { accumulation: 1, tokens, maxCompletionLength: Number(args.completion) };
  pass.backward({ logps: policyLoss(sequences, LOSS_DEFAULTS, window).logpGrads });
  pass.dispose();
  await gpu.sync();
  const milliseconds = performance.now() - start;
  return { milliseconds, peakBytes: gpu.memory().peakTotal, tokens: pass.tokens };
}

async function gradients(model: Model): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const [name, { grad }] of model.namedParameters()) if (grad) found.set(name, await grad.data());
  return found;
}

/** The largest relative L2 difference of a gradient. */
function furthest(a: Map<string, Float32Array>, b: Map<string, Float32Array>): { name: string; rel: number } {
  let most = { name: '', rel: 0 };
  for (const [name, x] of a) {
    const y = b.get(name) as Float32Array;
    let [difference, norm] = [0, 0];
    for (let i = 0; i < x.length; i++) {
      difference += (x[i] - y[i]) ** 2;
      norm += x[i] ** 2;
    }
    const rel = Math.sqrt(difference / norm);
    // The biases of keys do not change attention: their gradients are rounding.
    if (!name.endsWith('k_proj.bias') && !(rel <= most.rel)) most = { name, rel };
  }
  return most;
}

await ensureDriver();
const gpu = await openGpu();
const dir = mkdtempSync(join(tmpdir(), 'osler-bench-'));
try {
  await initModel(dir, { arch: args.arch, seed: 1 });
  const model = await loadModel(gpu, dir, { dtype: 'f32' });
  model.train(() => true);
  const group = makeGroup(model);
  const base = gpu.memory().liveTotal;
  // Both once, for the tuner to see all shapes and for the gradients.
  await step(model, group, false);
  const shared = await gradients(model);
  await step(model, group, true);
  const difference = furthest(await gradients(model), shared);
  shared.clear();
  await tunerFor(gpu).tune();
  const costs: Record<'shared' | 'copies', StepCost[]> = { shared: [], copies: [] };
  for (let round = 0; round < Number(args.rounds); round++) {
    costs.shared.push(await step(model, group, false));
    costs.copies.push(await step(model, group, true));
  }
  const best = (list: readonly StepCost[]) =>
    list.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
  const result = {
    adapter: gpu.info.name,
    arch: args.arch,
    prompt: Number(args.prompt),
    completion: Number(args.completion),
    generations: Number(args.generations),
    recompute: args.recompute,
    weightsBytes: base,
    shared: best(costs.shared),
    copies: best(costs.copies),
    speedup: best(costs.copies).milliseconds / best(costs.shared).milliseconds,
    gradientDifference: difference,
  };
  if (args.json) console.log(JSON.stringify(result, null, 2));
  else {
    const line = (name: string, { milliseconds, peakBytes, tokens }: StepCost) =>
      console.log(
        `${name.padEnd(16)} ${milliseconds.toFixed(0).padStart(7)} ms  peak ${(peakBytes / 2 ** 20).toFixed(0).padStart(5)} MiB  ${tokens} tokens`,
      );
    console.log(
      `${result.adapter}: ${args.arch}, prompt ${args.prompt}, completion ${args.completion}, ${args.generations} completions`,
    );
    line('shared prompt', result.shared);
    line('copied prompts', result.copies);
    console.log(`${result.speedup.toFixed(2)} times as fast with a shared prompt`);
    console.log(
      `gradients differ by at most ${difference.rel.toExponential(1)} (relative L2, ${difference.name})`,
    );
  }
  model.dispose();
} finally {
  rmSync(dir, { recursive: true });
  await gpu.destroy();
}
