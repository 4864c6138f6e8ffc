/** The statistics of evaluations: intervals, paired tests, and what several samples say. */

/** Quantile of the standard normal distribution for a two-sided 95% interval. */
const Z95 = 1.959963984540054;

/** Wilson's score interval of a share; all of [0, 1] when nothing was counted. */
export function wilsonInterval(correct: number, n: number, z = Z95): { low: number; high: number } {
  if (n === 0) return { low: 0, high: 1 };
  const share = correct / n;
  const scale = 1 + z ** 2 / n;
  const centre = share + z ** 2 / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  // Where the formula's exact values are 0 and 1, rounding must leave neither 2e-17 nor more than 1.
  return {
    low: correct === 0 ? 0 : (centre - reach) / scale,
    high: correct === n ? 1 : (centre + reach) / scale,
  };
}

/** Result of McNemar's test. */
export interface McNemar {
  /** Chance of a difference at least this large between equally good models. */
  readonly p: number;
  /** `exact`: binomial; `corrected`: chi-squared with continuity correction. */
  readonly method: 'exact' | 'corrected';
  /** Chi-squared; only of the corrected test. */
  readonly statistic?: number;
}

/** Discordant pairs from which the chi-squared approximation serves as well as the exact test. */
const EXACT_BELOW = 1000;

/**
 * McNemar's test of two models on the same questions.
 *
 * @param onlyA questions that only the first answered right.
 * @param onlyB questions that only the second answered right.
 */
export function mcNemar(onlyA: number, onlyB: number, method?: McNemar['method']): McNemar {
  const n = onlyA + onlyB;
  if ((method ?? (n < EXACT_BELOW ? 'exact' : 'corrected')) === 'exact') {
    return { p: Math.min(1, 2 * binomialTail(Math.min(onlyA, onlyB), n)), method: 'exact' };
  }
  if (n === 0) return { p: 1, method: 'corrected', statistic: 0 };
  const statistic = Math.max(0, Math.abs(onlyA - onlyB) - 1) ** 2 / n;
  return { p: erfc(Math.sqrt(statistic / 2)), method: 'corrected', statistic };
}

/** Chance of at most k heads in n throws of a fair coin. */
function binomialTail(k: number, n: number): number {
  // From the largest term down, relative to it, so that 2^-n cannot underflow early.
  let term = 1;
  let sum = 1;
  for (let i = k; i > 0; i--) {
    term *= i / (n - i + 1);
    sum += term;
  }
  return sum * Math.exp(logChoose(n, k) - n * Math.LN2);
}

/** ln(n choose k), by summing logarithms: exact enough for counts of questions. */
function logChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
}

/** Complementary error function of x >= 0: its series for small x, its continued fraction (Lentz) beyond. */
function erfc(x: number): number {
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= -(x ** 2) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-(x ** 2)) / Math.sqrt(Math.PI) / (x + fraction);
}

/** Chance that at least one of k samples is right, unbiased, from n samples of which c were right. */
export function passAtK(n: number, c: number, k: number): number {
  if (k > n) throw new RangeError(`pass@${k} needs at least ${k} samples, not ${n}`);
  let allWrong = 1;
  for (let i = n - c + 1; i <= n; i++) allWrong *= 1 - k / i;
  return n - c < k ? 1 : 1 - allWrong;
}

/** The answer that most samples give; of equally common ones the first given; undefined when none gives any. */
export function majorityVote(answers: readonly (string | null)[]): string | undefined {
  const votes = new Map<string, number>();
  for (const answer of answers) if (answer !== null) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  let best: string | undefined;
  for (const [answer, count] of votes) {
    if (best === undefined || count > (votes.get(best) as number)) best = answer;
  }
  return best;
}

/** The value below which a share of sorted values lies, interpolated as numpy does. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}

/** Mean; null of nothing. */
export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
