/** How far the log-probabilities of the sampler are from those of the trainer: they come from the same weights. */
import type { LearnedCompletion } from './learned.js';

/** Adds up differences over completions. */
export class SamplerDifference {
  #most = 0;
  #sum = 0;
  #count = 0;

  /** One completion, under the weights that drew it. */
  add(logps: ArrayLike<number>, { samplerLogps }: Pick<LearnedCompletion, 'samplerLogps'>): void {
    for (let t = 0; t < logps.length; t++) {
      const difference = Math.abs(logps[t] - samplerLogps[t]);
      // Once not a number, always so.
      this.#most = difference > this.#most || Number.isNaN(difference) ? difference : this.#most;
      this.#sum += difference;
      this.#count++;
    }
  }

  /** Takes in the differences of the completions that follow. */
  merge(other: SamplerDifference): void {
    this.#most = other.#most > this.#most || Number.isNaN(other.#most) ? other.#most : this.#most;
    this.#sum += other.#sum;
    this.#count += other.#count;
  }

  /** Everything in numbers, for {@link fromNumbers}. */
  toNumbers(): number[] {
    return [this.#most, this.#sum, this.#count];
  }

  /** Differences from their numbers. */
  static fromNumbers(numbers: readonly number[]): SamplerDifference {
    const out = new SamplerDifference();
    [out.#most, out.#sum, out.#count] = numbers;
    return out;
  }

  /** Ours, and by the names that TRL has with vLLM. */
  metrics(): Record<string, number> {
    if (this.#count === 0) return {};
    const mean = this.#sum / this.#count;
    return {
      'sampling/logp_diff_max': this.#most,
      'sampling/sampling_logp_difference/mean': mean,
      'sampling/sampling_logp_difference/max': this.#most,
    };
  }
}
