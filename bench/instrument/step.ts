/**
 * A GRPO step as the trainer takes it, on any device: generation, policy passes and the optimizer are the real ones. On one
 * that executes nothing the launches of each phase can be counted, on a card each phase can be timed.
 */
import { Generator } from '#osler/generate/index.js';
import type { Gpu } from '#osler/gpu/index.js';
import { LOSS_DEFAULTS, type PassGroup, PolicyPass, policyLoss } from '#osler/grpo/index.js';
import { cast } from '#osler/kernels/elementwise.js';
import { randomNormal } from '#osler/kernels/random.js';
import {
  adapterOf,
  type Grid,
  Model,
  type ModelConfig,
  parseConfig,
  patchValues,
  weightsOnPaper,
} from '#osler/models/index.js';
import { architecture, PUBLISHED } from '#osler/models/init/init.js';
import { AdamW } from '#osler/optim/index.js';
import { scope } from '#osler/tensor/index.js';

/** Parts of a step, in this order. */
export const PHASES = ['prefill', 'decode', 'forward', 'backward', 'update'] as const;
/** One of them. */
export type Phase = (typeof PHASES)[number];

/** How large a step is. */
export interface StepShape {
  readonly prompts: number;
  /** Completions of each prompt, and tokens of each completion. */
  readonly completions: number;
  readonly tokens: number;
  /** A prompt: words, and a picture of so many patches. */
  readonly words: number;
  readonly grid: Grid;
}

/** The step of the table: prompts of 512 tokens, half of them a picture of 448 x 448. */
export const STEP: StepShape = { prompts: 4, completions: 8, tokens: 512, words: 254, grid: [1, 32, 32] };

/** A small one for trying things out. */
export const SMALL_STEP: StepShape = { prompts: 2, completions: 4, tokens: 24, words: 30, grid: [1, 8, 8] };

/** The config of a published model or a miniature, with fewer layers of its decoder and of its tower if asked. */
export function configOf(name: string, layers?: number, towerLayers?: number): ModelConfig {
  const raw = PUBLISHED[name] ?? architecture(name).raw;
  const tower =
    towerLayers === undefined ? {} : { vision_config: { ...Object(raw.vision_config), depth: towerLayers } };
  return parseConfig(layers === undefined ? raw : { ...raw, ...tower, num_hidden_layers: layers });
}

/** A model that trains: an adapter of rank 16 on every linear layer of the decoder, or all weights but the tower's. */
export interface Trainer {
  readonly model: Model;
  readonly optimizer: AdamW;
}

/** A model without numbers in its weights, which is enough where nothing is executed; see {@link fill}. */
export function makeModel(gpu: Gpu, config: ModelConfig, lora: boolean): Model {
  const model = new Model(gpu, config, weightsOnPaper(gpu, config, 'auto'));
  if (lora) {
    adapterOf(model, { rank: 16, alpha: 32, targets: 'all-linear' }, {}, (_, { a, b }) => {
      for (const { range } of [a, b]) gpu.clear(range);
    });
    model.train((name) => name.includes('lora_'));
  } else {
    model.train((name) => config.names.part(name) === 'language_model');
  }
  return model;
}

/** Fills a model's weights with random numbers, on the device. */
export function fill(model: Model): void {
  const { gpu } = model;
  let stream = 0;
  for (const [, weight] of model.namedParameters()) {
    scope(() => {
      const noise = randomNormal(gpu, weight.shape, { seed: 1, stream: stream++, step: 0 }, { std: 0.02 });
      gpu.copy(cast(noise, weight.dtype).range, weight.range);
    });
    // The noise of a large weight is larger than the weight.
    gpu.trim();
  }
}

/** Makes an optimizer for what trains. */
export function makeTrainer(model: Model): Trainer {
  const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
  const group = { parameters: trained, learningRate: 1e-6, weightDecay: 0 };
  return { model, optimizer: new AdamW(model.gpu, [group], { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }) };
}

/** Told what begins; null is the end. The device has nothing to do at that moment. */
export type Begin = (phase: Phase | null) => void;

/** Draws completions of all prompts together; stops each after `drawn` tokens, for which the cache has room as for all. */
export async function rollOut(
  model: Model,
  shape: StepShape,
  begin: Begin,
  drawn: number = shape.tokens,
): Promise<void> {
  const { ids, pixels } = promptOf(model.config, shape);
  const generator = new Generator(model, { maxBatch: shape.prompts * shape.completions });
  const images = { pixels, grids: [shape.grid] };
  begin('prefill');
  const handles = Array.from({ length: shape.prompts }, (_, prompt) => {
    const handle = generator.submit({
      ids,
      ...(model.config.vision ? { images } : {}),
      samples: shape.completions,
      maxNewTokens: shape.tokens,
      stopIds: [],
      seed: 1,
      stream: prompt * shape.completions,
      onToken: ({ sample, index }) => {
        if (prompt === 0 && sample === 0 && index === 0) begin('decode');
        if (index + 1 === drawn) handle.cancel();
      },
    });
    return handle;
  });
  await Promise.all(handles.map(({ completions }) => completions));
  begin(null);
  await generator.dispose();
}

/** Learns from completions, a group at a time, and updates the weights. */
export async function learn({ model, optimizer }: Trainer, shape: StepShape, begin: Begin): Promise<void> {
  const { gpu } = model;
  for (let micro = 0; micro < shape.prompts; micro++) {
    await gpu.sync();
    begin('forward');
    const pass = startPass(model, shape);
    const { logps, entropies } = await pass.read();
    begin('backward');
    const { logpGrads } = policyLoss(
      logps.map((own, i) => ({
        logps: own,
        entropies: entropies[i],
        oldLogps: null,
        refLogps: null,
        advantage: i % 2 === 0 ? 1 : -1,
        mask: null,
      })),
      LOSS_DEFAULTS,
      {
        accumulation: shape.prompts,
        tokens: shape.completions * shape.tokens,
        maxCompletionLength: shape.tokens,
      },
    );
    pass.backward({ logps: logpGrads });
    pass.dispose();
  }
  await gpu.sync();
  begin('update');
  await optimizer.step(1);
  await gpu.sync();
  begin(null);
  model.clearGradients();
}

/** Begins a pass over a prompt and its completions. */
export function startPass(model: Model, shape: StepShape): PolicyPass {
  const { ids, pixels } = promptOf(model.config, shape);
  const seeing = model.config.vision !== null;
  const group: PassGroup = {
    prompt: { ids, images: seeing ? [shape.grid] : [] },
    pixels: seeing ? pixels : null,
    completions: Array.from({ length: shape.completions }, (_, i) => words(shape.tokens, i)),
  };
  return new PolicyPass(model, [group], { temperature: 1, recompute: true });
}

function promptOf({ tokens, vision }: ModelConfig, { words: count, grid }: StepShape) {
  if (!vision) return { ids: words(count, 0), pixels: new Float32Array(0) };
  const patches = grid[0] * grid[1] * grid[2];
  const { image = 0, visionStart = 0, visionEnd = 0 } = tokens;
  const cells = new Array<number>(patches / vision.mergeSize ** 2).fill(image);
  return {
    ids: [visionStart, ...cells, visionEnd, ...words(count, 0)],
    pixels: new Float32Array(patches * patchValues(vision)),
  };
}

/** Ids of plain characters. */
function words(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => 32 + ((i * 7 + seed) % 90));
}
