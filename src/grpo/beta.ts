/** The weight of the divergence from the reference, where it follows a target. */

/** What it follows. */
export interface BetaRule {
  readonly kl_target: number | null;
  readonly kl_horizon: number;
}

/** As far as one update may go. */
const MOST = 0.2;

/** The weight after so many completions with a divergence of `kl` each: larger where that is over the target (Ziegler et al., 2019). */
export function nextBeta(beta: number, kl: number, completions: number, rule: BetaRule): number {
  if (rule.kl_target === null || !Number.isFinite(kl)) return beta;
  const error = Math.min(Math.max(kl / rule.kl_target - 1, -MOST), MOST);
  return beta * (1 + (error * completions) / rule.kl_horizon);
}
