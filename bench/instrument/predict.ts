/**
 * A roofline: what a card would need at least for work whose launches were counted, and what bounds it. A prediction from
 * the maker's peaks, which no kernel reaches; it says where time can go, and not how long a step will take.
 */
import { CARDS, type Card } from './cards.js';
import type { RecordedPipeline, Recorder, Use } from './recorder.js';
import { PHASES, type Phase, STEP, type StepShape } from './step.js';

/** What may bound a phase. */
export type Bound = 'f32' | 'matrix' | 'memory' | 'launches' | 'host';

/** A phase of a step on a card. */
export interface PredictedPhase {
  readonly phase: Phase;
  readonly seconds: number;
  readonly bound: Bound;
  readonly launches: number;
}

/** Seconds of host time per launch, when it is looked up and encoded, and when it is replayed (`osler bench --launches`). */
export interface HostCost {
  readonly encoded: number;
  readonly replayed: number;
}

/** How the names of shaders of products on matrix units begin, and of all that use them. */
const MATRIX = 'matmul/subgroup-matrix';
const ON_UNITS = [MATRIX, 'attention/matrix-'];

/** Seconds that launches of a pipeline need, and what they are spent on. */
export function secondsOf(
  { name }: Pick<RecordedPipeline, 'name'>,
  { flops, movedBytes, launches }: Use,
  card: Pick<Card, 'f32' | 'matrix' | 'bandwidth' | 'launch'>,
): { readonly work: number; readonly bound: Bound; readonly launching: number } {
  const onMatrix = ON_UNITS.some((start) => name.startsWith(start)) && card.matrix !== null;
  // Operands in parts are several products.
  const parts = (operand: string) => Number(name.includes(` PARTS_${operand}=2`));
  const operations = flops * (1 + parts('A') + parts('B'));
  const arithmetic = operations / (onMatrix ? (card.matrix as number) : card.f32);
  const memory = movedBytes / card.bandwidth;
  const bound = memory > arithmetic ? 'memory' : onMatrix ? 'matrix' : 'f32';
  return { work: Math.max(memory, arithmetic), bound, launching: launches * card.launch };
}

/** Part of the arithmetic of the matrix products of a step's training passes that is done on matrix units. */
export function shareOnMatrixUnits({ pipelines }: Pick<Recorder, 'pipelines'>): number {
  let [all, onUnits] = [0, 0];
  for (const { path, uses } of pipelines) {
    if (!path.startsWith('matmul/')) continue;
    for (const { part, flops } of uses) {
      if (part !== 'forward' && part !== 'backward') continue;
      all += flops;
      if (path.startsWith(MATRIX)) onUnits += flops;
    }
  }
  return onUnits / all;
}

/** The card by whose roofline pipelines are compared on all chips. */
const WEIGHING = CARDS.find(({ name }) => name === 'RTX 4090') as Card;

/** Seconds of a step of {@link STEP} that go into a pipeline, launching aside: which ones matter. */
export function weightOf(pipeline: Pick<RecordedPipeline, 'name'>, uses: readonly Use[]): number {
  return uses.reduce((sum, use) => {
    const times = use.part === 'decode' ? STEP.tokens - 1 : 1;
    return sum + times * secondsOf(pipeline, use, WEIGHING).work;
  }, 0);
}

/** Predicts the phases of a recorded step; `host` is left out where it is not known. */
export function predict(
  recorder: Recorder,
  shape: StepShape,
  card: Pick<Card, 'f32' | 'matrix' | 'bandwidth' | 'launch'>,
  host?: HostCost,
): PredictedPhase[] {
  return PHASES.map((phase) => {
    // One decode step was recorded: it follows the first token.
    const times = phase === 'decode' ? shape.tokens - 1 : 1;
    const spent: Record<Bound, number> = { f32: 0, matrix: 0, memory: 0, launches: 0, host: 0 };
    for (const pipeline of recorder.pipelines) {
      for (const use of pipeline.uses) {
        if (use.part !== phase) continue;
        const { work, bound, launching } = secondsOf(pipeline, use, card);
        spent[bound] += times * work;
        spent.launches += times * launching;
      }
    }
    const launches = times * recorder.total(phase).launches;
    const device = spent.f32 + spent.matrix + spent.memory + spent.launches;
    // The host works ahead of the device: the slower of the two counts.
    spent.host = launches * ((phase === 'decode' ? host?.replayed : host?.encoded) ?? 0);
    if (spent.host > device) return { phase, seconds: spent.host, bound: 'host', launches };
    const [bound] = (['f32', 'matrix', 'memory', 'launches'] as const).toSorted(
      (a, b) => spent[b] - spent[a],
    );
    return { phase, seconds: device, bound, launches };
  });
}
