/** What TRL's code gives on random inputs; made by `reference/grpo_fixtures.py`. */
import { readFileSync } from 'node:fs';
import type { AdvantageSettings } from './advantages.js';

interface Settings {
  readonly loss_type: string;
  readonly importance_sampling_level?: 'token' | 'sequence';
  readonly epsilon_high?: number;
  readonly delta?: number;
  readonly beta?: number;
  readonly entropy_coef?: number;
  readonly top_entropy_quantile?: number;
  readonly gradient_accumulation_steps?: number;
  readonly num_items?: number;
  readonly use_bias_correction_kl?: boolean;
  readonly off_policy_mask_threshold?: number;
  readonly vespo_k_pos?: number;
  readonly vespo_lambda_pos?: number;
  readonly vespo_k_neg?: number;
  readonly vespo_lambda_neg?: number;
}

interface LossCase {
  readonly settings: Settings;
  readonly logps: number[][];
  readonly entropies: number[][];
  readonly oldLogps: number[][] | null;
  readonly refLogps: number[][];
  readonly advantages: number[];
  readonly loss: number;
  readonly logpGrads: number[][];
  readonly entropyGrads: number[][] | null;
  readonly metrics: Record<string, number>;
}

interface AdvantageCase extends AdvantageSettings {
  readonly groupSize: number;
  readonly weights: number[];
  readonly values: (number | null)[][];
  readonly advantages: number[];
  readonly zeroStd: boolean[];
}

/** The file's content. */
export const TRL = JSON.parse(readFileSync(new URL('fixtures/trl.json', import.meta.url), 'utf8')) as {
  losses: LossCase[];
  advantages: AdvantageCase[];
  lengths: { completions: number[][]; repetition: number[]; overlong: number[] };
};
