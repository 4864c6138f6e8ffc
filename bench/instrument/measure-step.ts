/** A GRPO step phase by phase on an open device, beside what rooflines predict; nothing here needs Node. */
import type { Gpu } from '#osler/gpu/index.js';
import type { Roofline } from '#osler/kernels/roofline.js';
import type { Card } from './cards.js';
import { type PredictedPhase, predict } from './predict.js';
import { recordStep } from './record.js';
import {
  configOf,
  fill,
  learn,
  makeModel,
  makeTrainer,
  type Phase,
  rollOut,
  type StepShape,
} from './step.js';

/** What to measure. */
export interface StepMeasure {
  readonly model: string;
  readonly shape: StepShape;
  /** Layers of decoder and tower; all by default. */
  readonly layers?: number | undefined;
  /** The device's own, as measured. */
  readonly roofline: Roofline;
  /** What the maker says of it. */
  readonly sheet?: Card | undefined;
}

/** A phase as measured and predicted. */
export type StepPhase = PredictedPhase & { readonly measuredSeconds: number; readonly sheetSeconds?: number };

/** Measures the second of two steps of a model at random weights. */
export async function measureStep(gpu: Gpu, options: StepMeasure): Promise<StepPhase[]> {
  const { model, shape, layers, sheet } = options;
  const { f32, matrix, bandwidth, dispatchMicroseconds } = options.roofline;
  const card = { f32, matrix, bandwidth, launch: dispatchMicroseconds / 1e6 };
  const recorded = await recordStep(model, { traits: gpu, shape, layers, towerLayers: layers });
  const predicted = predict(recorded, shape, card);
  const bySheet = sheet && predict(recorded, shape, sheet);
  const trainer = makeTrainer(makeModel(gpu, configOf(model, layers, layers), true));
  const spent = new Map<Phase, number>();
  try {
    fill(trainer.model);
    let current: Phase | null = null;
    let since = 0;
    const begin = (phase: Phase | null) => {
      const now = performance.now();
      if (current) spent.set(current, (spent.get(current) ?? 0) + (now - since) / 1000);
      current = phase;
      since = now;
    };
    for (let step = 0; step < 2; step++) {
      spent.clear();
      await rollOut(trainer.model, shape, begin);
      await learn(trainer, shape, begin);
    }
  } finally {
    trainer.optimizer.dispose();
    trainer.model.dispose();
  }
  return predicted.map((row, i) => ({
    ...row,
    measuredSeconds: spent.get(row.phase) ?? 0,
    ...(bySheet?.[i] && { sheetSeconds: bySheet[i].seconds }),
  }));
}
