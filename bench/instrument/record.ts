/** What a device would be asked to do, without one: the launches of a step and of the benchmarks. */
import type { DeviceTraits } from '#osler/gpu/index.js';
import { scope } from '#osler/tensor/index.js';
import type { BenchCase } from '../case.js';
import { Recorder } from './recorder.js';
import {
  configOf,
  learn,
  makeModel,
  makeTrainer,
  type Phase,
  rollOut,
  STEP,
  type StepShape,
} from './step.js';

/** Completion tokens that are drawn of a step's: the first, and one by the recorded decode step. */
const DRAWN = 2;

/** What a recorded step may differ in. */
export interface RecordOptions {
  /** Those of the device that it stands for; any hardware by default. */
  readonly traits?: DeviceTraits;
  readonly shape?: StepShape;
  readonly lora?: boolean;
  /** Layers of the decoder; as many as the model has by default. */
  readonly layers?: number | undefined;
  /** Layers of the tower, likewise. */
  readonly towerLayers?: number | undefined;
  /** Stop when the completions are drawn. */
  readonly rollOutOnly?: boolean;
}

/** A GRPO step of a model. Parts are its phases; of decoding one step is recorded. */
export async function recordStep(model: string, options: RecordOptions = {}): Promise<Recorder> {
  const { traits, shape = STEP, lora = true, layers, towerLayers, rollOutOnly = false } = options;
  const recorder = new Recorder(traits);
  const trainer = makeTrainer(makeModel(recorder, configOf(model, layers, towerLayers), lora));
  const begin = (phase: Phase | null) => {
    recorder.part = phase;
  };
  await rollOut(trainer.model, shape, begin, DRAWN);
  if (!rollOutOnly) await learn(trainer, shape, begin);
  return recorder;
}

/** Every pipeline that a tool should compile: of the models' steps, and of the benchmarks. */
export async function recordAll(
  traits: DeviceTraits,
  models: readonly string[],
  cases: readonly BenchCase[],
): Promise<ReadonlyMap<string, Recorder>> {
  const recorders = new Map<string, Recorder>();
  for (const model of models) recorders.set(model, await recordStep(model, { traits }));
  const recorder = new Recorder(traits);
  for (const bench of cases) {
    if (!(bench.available?.(recorder) ?? true)) continue;
    const instance = await bench.setup(recorder);
    recorder.part = 'bench';
    scope(() => instance.run());
    recorder.part = null;
    instance.dispose();
  }
  recorders.set('benchmarks', recorder);
  return recorders;
}
