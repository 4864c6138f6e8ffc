/** Ends a run whose evaluations no longer get better, by the rule of transformers' EarlyStoppingCallback. */
import { bestRule, type TrainingConfig } from './config/index.js';
import type { Metrics } from './task.js';
import type { BestCheckpoint } from './trainer-state.js';

/** Counts evaluations that were no better than the best before. */
export class EarlyStop {
  readonly #config: TrainingConfig;
  /** How many in a row. */
  waited = 0;

  /** Without `early_stopping_patience` it never ends anything. */
  constructor(config: TrainingConfig) {
    this.#config = config;
  }

  /** Whether the run is to end. */
  get due(): boolean {
    const { early_stopping_patience: patience } = this.#config;
    return patience !== null && this.waited >= patience;
  }

  /** An evaluation, and the best one before it. */
  saw(evaluation: Metrics, best: BestCheckpoint | null): void {
    const rule = bestRule(this.#config);
    const value = rule ? evaluation[rule.metric] : undefined;
    if (rule === null || value === undefined) return;
    const gain = best === null ? Number.POSITIVE_INFINITY : value - best.value;
    const better = rule.greaterIsBetter || best === null ? gain : -gain;
    this.waited = better > this.#config.early_stopping_threshold ? 0 : this.waited + 1;
  }
}
