/** What the page runs, in this order. */
import type { StepShape } from '../bench/instrument/step.js';
import { SMALL_STEP } from '../bench/instrument/step.js';
import type { Family } from './harness/checks.js';

/** Families that software adapters compile in seconds; others take them minutes. */
export const QUICK_FAMILIES: readonly Family[] = [
  'autograd',
  'elementwise',
  'embedding',
  'layout',
  'optimizer',
  'random',
  'reduce',
  'rotary',
  'scatter',
];
/** Benchmarks likewise. */
export const QUICK_BENCHES = /^(elementwise|embedding|layout|optimizer|random|rotary)$/;

/** A step to measure. */
export interface PlannedStep {
  readonly model: string;
  /** What the page calls it. */
  readonly title: string;
  readonly shape: StepShape;
  /** Layers of decoder and tower; all by default. */
  readonly layers?: number;
  /** Left out on software. */
  readonly large: boolean;
}

/** The demo's model, and a layer of a real one: no download is needed for random weights. */
export const STEPS: readonly PlannedStep[] = [
  { model: 'tiny', title: 'a miniature Qwen2-VL', shape: { ...SMALL_STEP, tokens: 8 }, large: false },
  { model: 'small', title: "the demo's model", shape: SMALL_STEP, large: true },
  {
    model: 'qwen2-vl-2b',
    title: 'one layer of Qwen2-VL-2B, its vocabulary and one layer of its tower',
    shape: { prompts: 1, completions: 8, tokens: 32, words: 254, grid: [1, 32, 32] },
    layers: 1,
    large: true,
  },
];
