/**
 * Units of work. What a step computes is cut into units by the config alone, never by who is there to do them: a unit's
 * result is a function of its input and of the weights, and results are taken in the order of the units. So it does not
 * matter where a unit is done, nor when.
 */

/**
 * Kinds of units: `rollout` draws completions of a fixed set of prompts, `score` makes passes from which nothing is learned,
 * `lane` learns from a fixed run of micro-batches.
 */
export type UnitKind = 'rollout' | 'score' | 'lane';

/** Where a unit is done, seen from the work. */
export interface WorkContext {
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** Times a part of the work; see `EvaluationContext` of the training loop. */
  phase<T>(name: string, body: () => T | Promise<T>): Promise<T>;
}

/** How units of a kind are done. */
export interface Work<Input, Output> {
  readonly kind: UnitKind;
  /** Does one, with the weights as they are. */
  run(input: Input, context: WorkContext): Promise<Output>;
}

/** Units of a kind that a step has done. */
export interface UnitBatch<Input> {
  readonly inputs: readonly Input[];
  /** Units of the kind that came before in the step; 0 by default. */
  readonly first?: number;
}

/** The step that units belong to. */
export interface UnitStep extends WorkContext {
  /** Number of the step, counting from 1. */
  readonly step: number;
}

/** Has units done. */
export interface Exchange {
  /** Resolves when all are done; `take` gets each result, in the order of the units, and owns it. */
  run<Input, Output>(
    work: Work<Input, Output>,
    batch: UnitBatch<Input>,
    step: UnitStep,
    take: (result: Output) => void,
  ): Promise<void>;
}

/** Does units in turn in this process. */
export const localExchange: Exchange = {
  async run(work, { inputs }, step, take) {
    for (const input of inputs) {
      step.signal.throwIfAborted();
      take(await work.run(input, step));
    }
  },
};
