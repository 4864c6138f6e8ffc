/** What the loss sees of the tokens, added up over micro-batches and named as TRL names it. */
import type { LossSettings } from './settings.js';
import type { Surrogate } from './surrogate.js';

/** A sum and how many it is over. */
interface Mean {
  sum: number;
  count: number;
}

/** Statistics of the tokens that count. */
export class LossStatistics {
  readonly #settings: LossSettings;
  readonly #entropy: Mean = { sum: 0, count: 0 };
  readonly #kl: Mean = { sum: 0, count: 0 };
  readonly #low: Mean = { sum: 0, count: 0 };
  readonly #high: Mean = { sum: 0, count: 0 };
  /** Weights of `vespo`, and completions that the off-policy mask left out, by sequence. */
  readonly #weight: Mean = { sum: 0, count: 0 };
  readonly #masked: Mean = { sum: 0, count: 0 };
  #clamped = 0;
  #leastRatio = Number.POSITIVE_INFINITY;
  #mostRatio = Number.NEGATIVE_INFINITY;
  /** Shares of clipped tokens, by sequence. */
  readonly #lowShares: number[] = [];
  readonly #highShares: number[] = [];
  #sequence = { low: 0, high: 0 };

  constructor(settings: LossSettings) {
    this.#settings = settings;
  }

  /** Before the tokens of a sequence. */
  beginSequence(): void {
    this.#sequence = { low: 0, high: 0 };
  }

  /** One token that counts. */
  token({ low, high }: Surrogate, entropy: number, ratio: number): void {
    add(this.#entropy, entropy, 1);
    this.#sequence.low += Number(low);
    this.#sequence.high += Number(high);
    this.#leastRatio = Math.min(this.#leastRatio, ratio);
    this.#mostRatio = Math.max(this.#mostRatio, ratio);
  }

  /** A token's divergence from the reference. */
  divergence(value: number, clamped: boolean): void {
    add(this.#kl, value, 1);
    this.#clamped += Number(clamped);
  }

  /** A sequence's weight in `vespo`. */
  weight(value: number): void {
    add(this.#weight, value, 1);
  }

  /** Whether the off-policy mask leaves a sequence out. */
  masked(is: boolean): void {
    add(this.#masked, Number(is), 1);
  }

  /** After the tokens of a sequence, `count` of which counted. */
  endSequence(count: number): void {
    const shared = this.#settings.importanceSamplingLevel === 'sequence';
    if (count === 0 && !shared) return;
    const low = this.#sequence.low / Math.max(count, 1);
    const high = this.#sequence.high / Math.max(count, 1);
    // Tokens that share a ratio are clipped together: such a sequence counts once, as in TRL even if it is masked.
    const weight = shared ? 1 : count;
    add(this.#low, low * weight, weight);
    add(this.#high, high * weight, weight);
    this.#lowShares.push(low);
    this.#highShares.push(high);
  }

  /** Takes in the statistics of another micro-batch. */
  merge(other: LossStatistics): void {
    for (const [i, { sum, count }] of other.#means().entries()) add(this.#means()[i], sum, count);
    this.#clamped += other.#clamped;
    this.#leastRatio = Math.min(this.#leastRatio, other.#leastRatio);
    this.#mostRatio = Math.max(this.#mostRatio, other.#mostRatio);
    this.#lowShares.push(...other.#lowShares);
    this.#highShares.push(...other.#highShares);
  }

  /** Everything in numbers, for {@link fromNumbers}. */
  toNumbers(): number[] {
    const means = this.#means().flatMap(({ sum, count }) => [sum, count]);
    const shares = [this.#lowShares.length, ...this.#lowShares, ...this.#highShares];
    return [...means, this.#clamped, this.#leastRatio, this.#mostRatio, ...shares];
  }

  /** Statistics from their numbers. */
  static fromNumbers(settings: LossSettings, numbers: readonly number[]): LossStatistics {
    const out = new LossStatistics(settings);
    const means = out.#means();
    for (const [i, own] of means.entries()) add(own, numbers[2 * i], numbers[2 * i + 1]);
    const [clamped, least, most, sequences, ...shares] = numbers.slice(2 * means.length);
    [out.#clamped, out.#leastRatio, out.#mostRatio] = [clamped, least, most];
    out.#lowShares.push(...shares.slice(0, sequences));
    out.#highShares.push(...shares.slice(sequences));
    return out;
  }

  #means(): readonly Mean[] {
    return [this.#entropy, this.#kl, this.#low, this.#high, this.#weight, this.#masked];
  }

  /** By TRL's names; `kl_clamped`, `off_policy_masked` and `ratio/*` are ours. */
  metrics(): Record<string, number> {
    const { lossType, beta, offPolicyMaskThreshold } = this.#settings;
    const out: Record<string, number> = { entropy: mean(this.#entropy) };
    if (beta !== 0) {
      out.kl = mean(this.#kl);
      out.kl_clamped = this.#clamped;
    }
    if (this.#entropy.count > 0) {
      out['ratio/min'] = this.#leastRatio;
      out['ratio/max'] = this.#mostRatio;
    }
    if (offPolicyMaskThreshold !== null) out.off_policy_masked = mean(this.#masked);
    if (lossType === 'cispo') out.cispo_clip_ratio = mean(this.#high);
    else if (lossType === 'vespo') out['vespo/phi_seq_mean'] = mean(this.#weight);
    else if (lossType !== 'sapo') {
      out['clip_ratio/low_mean'] = mean(this.#low);
      out['clip_ratio/high_mean'] = mean(this.#high);
      out['clip_ratio/region_mean'] = mean(this.#low) + mean(this.#high);
      out['clip_ratio/low_min'] = Math.min(...this.#lowShares, 1) * Number(this.#lowShares.length > 0);
      out['clip_ratio/high_max'] = Math.max(...this.#highShares, 0);
    }
    return out;
  }
}

function add(mean: Mean, sum: number, count: number): void {
  mean.sum += sum;
  mean.count += count;
}

function mean({ sum, count }: Mean): number {
  return sum / Math.max(count, 1);
}
