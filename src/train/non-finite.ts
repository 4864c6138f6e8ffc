/** Steps that were skipped because a gradient was infinite or not a number. */
import type { Metrics } from './task.js';

/** A run that cannot go on: exit code 1. */
export class TrainingFailure extends Error {}

/** A step that cannot be taken, for reasons outside of the weights: what was before it is saved. */
export class StepFailure extends TrainingFailure {}

/** Counts skipped steps and ends a run that has too many in a row. */
export class NonFiniteSteps {
  readonly #limit: number;
  readonly #note: (line: string) => void;
  #total = 0;
  #inARow = 0;

  /** `limit` in a row end the run. */
  constructor(limit: number, note: (line: string) => void) {
    this.#limit = limit;
    this.#note = note;
  }

  get total(): number {
    return this.#total;
  }

  get inARow(): number {
    return this.#inARow;
  }

  /** Puts back the counts of a checkpoint. */
  restore(total: number, inARow: number): void {
    this.#total = total;
    this.#inARow = inARow;
  }

  /** A step was fine. */
  passed(): void {
    this.#inARow = 0;
  }

  /** A step was skipped; `weights` are those with bad gradients. */
  skipped(step: number, metrics: Metrics, weights: readonly string[]): void {
    this.#total++;
    this.#inARow++;
    const shown = weights.slice(0, 3).join(', ');
    const list = weights.length > 3 ? `${shown} and ${weights.length - 3} more` : shown;
    const where = weights.length > 0 ? `the gradient of ${list}` : 'the norm of the gradients';
    const found = `${where} is not finite (loss ${metrics.loss ?? 'unknown'})`;
    if (this.#inARow < this.#limit) {
      this.#note(`step ${step} is skipped: ${found}`);
      return;
    }
    throw new TrainingFailure(
      `${this.#inARow} steps in a row were skipped, the last one step ${step}: ${found}; the last checkpoint is intact. ${this.#advice(metrics)}`,
    );
  }

  #advice(metrics: Metrics): string {
    if (Number.isFinite(metrics.loss ?? 0)) {
      return 'The loss is finite, so the backward pass overflows: lower learning_rate or max_grad_norm, or set dtype: bfloat16 if it is float16';
    }
    return 'The loss is not finite either: the weights have diverged or the data make it so; go back to an earlier checkpoint with a lower learning_rate and a longer warm-up, or set dtype: float32';
  }
}
