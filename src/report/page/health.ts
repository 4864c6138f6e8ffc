/** What in a run's numbers a careful reader would ask about. */
import type { MetricRow } from '../model.js';
import { counted, percent, short } from './format.js';

/** An answer to one such question. */
export interface HealthCheck {
  readonly id: string;
  readonly title: string;
  readonly value: string;
  readonly state: 'good' | 'attention' | 'bad' | 'plain';
  /** What it means. */
  readonly help: string;
}

/** Past this the sampler and the trainer disagree; equal numerics stay far below. */
const LOGP_ATTENTION = 0.02;
const LOGP_BAD = 0.2;

/** Checks the metrics; what a run does not log is left out. */
export function healthChecks(rows: readonly MetricRow[]): HealthCheck[] {
  const column = (name: string) => rows.map((row) => row[name]).filter((value) => value !== undefined);
  const checks: HealthCheck[] = [];
  const add = (check: HealthCheck | undefined) => check && checks.push(check);
  if (rows.length > 0) add(skippedSteps(rows));
  add(logpDifference(column('sampling/logp_diff_max')));
  add(
    meanShare(column('frac_reward_zero_std'), {
      id: 'zero-std',
      title: 'Groups with equal rewards',
      help: 'Such groups teach nothing. Many of them at the start: questions too hard; at the end: too easy.',
      attention: 0.5,
      bad: 0.9,
    }),
  );
  add(
    meanShare(column('completions/clipped_ratio'), {
      id: 'cut-off',
      title: 'Completions cut at the limit',
      help: 'They seldom hold an answer; a longer max_completion_length may be needed.',
      attention: 0.1,
      bad: 0.5,
    }),
  );
  add(
    meanShare(column('completions/no_tag'), {
      id: 'no-tag',
      title: 'Completions without an answer tag',
      help: 'Nothing can be read as their answer.',
      attention: 0.2,
      bad: 0.8,
    }),
  );
  add(entropyFall(column('entropy')));
  add(plainMax(column('kl'), 'kl', 'Largest KL', 'Leaps point to a learning rate that is too high.'));
  add(
    plainMax(column('grad_norm'), 'gradient', 'Largest gradient norm', 'Before clipping to max_grad_norm.'),
  );
  const bytes = column('memory/peak_bytes');
  if (bytes.length > 0) {
    add({
      id: 'memory',
      title: 'Peak device memory',
      value: `${short(Math.max(...bytes) / 2 ** 30)} GiB`,
      state: 'plain',
      help: 'Weights, optimizer, activations and cache together.',
    });
  }
  return checks;
}

function skippedSteps(rows: readonly MetricRow[]): HealthCheck {
  // The count goes up from step to step, and begins anew with a resumed run at the latest checkpoint's.
  const skipped = Math.max(0, ...rows.map((row) => row.nonfinite_steps ?? 0));
  return {
    id: 'skipped',
    title: 'Steps skipped',
    value: `${short(skipped)} of ${counted(rows.length, 'step')}`,
    state: skipped === 0 ? 'good' : skipped > rows.length / 50 ? 'bad' : 'attention',
    help: 'Steps whose gradient was not finite are not applied.',
  };
}

function logpDifference(values: readonly number[]): HealthCheck | undefined {
  if (values.length === 0) return undefined;
  const most = Math.max(...values);
  return {
    id: 'logp',
    title: 'Sampler against trainer',
    value: `${short(most)} at most`,
    state: most <= LOGP_ATTENTION ? 'good' : most <= LOGP_BAD ? 'attention' : 'bad',
    help: 'Largest difference of a token’s log-probability between the rollout and the training pass.',
  };
}

function meanShare(
  values: readonly number[],
  { attention, bad, ...check }: { id: string; title: string; help: string; attention: number; bad: number },
): HealthCheck | undefined {
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const late = values.slice(-Math.max(1, Math.round(values.length / 10)));
  const last = late.reduce((sum, value) => sum + value, 0) / late.length;
  const worst = Math.max(mean, last);
  return {
    ...check,
    value: `${percent(mean)} overall, ${percent(last)} at the end`,
    state: worst < attention ? 'good' : worst < bad ? 'attention' : 'bad',
  };
}

function entropyFall(values: readonly number[]): HealthCheck | undefined {
  const [first, last] = [values[0], values.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return {
    id: 'entropy',
    title: 'Entropy',
    value: `${short(first)} → ${short(last)}`,
    state: last < 0.05 * first ? 'attention' : 'good',
    help: 'Near zero the policy no longer explores: every completion of a group is the same.',
  };
}

function plainMax(
  values: readonly number[],
  id: string,
  title: string,
  help: string,
): HealthCheck | undefined {
  if (values.length === 0) return undefined;
  return { id, title, value: short(Math.max(...values)), state: 'plain', help };
}
